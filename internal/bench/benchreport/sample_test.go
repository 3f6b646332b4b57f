package benchreport

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/bench"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/testkit"
)

// medians are the medians of the rounds, relative to the row's median.
var medians = []float64{1, 0.99, 1.02, 1, 1.01, 0.98}

// zooReport returns a report of all published variants, with speeds that follow
// from their FLOPs.
func zooReport(t *testing.T) *bench.Report {
	t.Helper()
	r := &bench.Report{Machine: bench.Machine{Time: "2026-11-23T12:00:00Z", Repvgg: "v1", Go: "go1.26", OS: "linux", Arch: "amd64",
		CPU: "Some Company(R) Processor(R) <8> Server Platinum 8888C CPU @ 2.70GHz", Cores: 8, Features: []string{"avx2"}, Kernels: "avx2", JPEGDecoder: "Go"}}
	for i, p := range repvgg.Zoo() {
		plan := testkit.Zoo(t, strings.TrimPrefix(p.Name, "RepVGG-"), model.Train)
		gflops := 300 + 20*float64(i%3)
		train := zooRow(t, p, plan.As(model.Train), 0.8*gflops)
		deploy := zooRow(t, p, plan.As(model.Deploy), gflops)
		deploy.SpeedupOverTrain = new(*train.LatencyMSMedian / *deploy.LatencyMSMedian)
		r.Rows = append(r.Rows, train, deploy)
	}
	return r
}

// zooRow returns a row for a variant at a speed. A0 and B1g4 have layers.
func zooRow(t *testing.T, p repvgg.Published, plan *model.Plan, gflops float64) bench.Row {
	t.Helper()
	row := bench.Row{
		Config: p.TrainConfig, Variant: p.Name[len("RepVGG-"):], Device: "cpu", Kernels: "avx2", Precision: "fp32",
		BatchSize: 2, Threads: 1, InputSize: 32, Weights: "seeded random", PublishedTop1Percent: &p.Top1, PublishedTop5Percent: &p.Top5,
		Runs: 12, WarmupRuns: 6, Noisy: new(false),
	}
	if err := row.Describe(plan); err != nil {
		t.Fatal(err)
	}
	const peak = 500
	ms := 2 * row.MACsGiga * float64(row.BatchSize) / gflops * 1e3
	row.LatencyMSMedian, row.LatencyMSP10, row.LatencyMSP90 = &ms, new(0.97*ms), new(1.04*ms)
	for _, share := range medians {
		row.LatencyMSRounds = append(row.LatencyMSRounds, share*ms)
	}
	row.ImagesPerSecond, row.GFLOPSPerSecond = new(float64(row.BatchSize)/ms*1e3), &gflops
	row.PeakGFLOPSPerSecond, row.PeakShare = new(float64(peak)), new(gflops/peak)
	row.PackedWeightsMB, row.PeakMemoryMB = new(4*row.ParamsMillions), new(5*row.ParamsMillions)
	row.SpreadShare, row.DriftShare = new(0.07), new(-0.01)
	if slices.Contains([]string{"A0", "B1g4"}, row.Variant) {
		row.Layers = layersOf(plan)
	}
	return row
}

func layersOf(p *model.Plan) []bench.Layer {
	var layers []bench.Layer
	for i, b := range p.Blocks {
		layers = append(layers, bench.Layer{
			Name: b.Name, Algorithm: fmt.Sprintf("winograd F(%d)", 2+2*(i%2)), TimeMS: 0.3 + 0.05*float64(i%5), GFLOPSPerSecond: new(200 + 10*float64(i%7)),
		})
	}
	layers[0].Algorithm = "direct"
	return layers
}
