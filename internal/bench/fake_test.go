package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/recipe"
)

// fakeClock moves only when a fakeRunner runs.
type fakeClock struct{ at time.Time }

func (c *fakeClock) now() time.Time { return c.at }

// fakeRunner takes the times of took one after the other, then the last again
// and again.
type fakeRunner struct {
	clock  *fakeClock
	took   []time.Duration
	runs   int
	log    *[]string
	name   string
	cancel func() // called in the run after the last of took, if set
	traced bool
	value  float32 // of the results
}

func (f *fakeRunner) Run(ctx context.Context, dst, _ []float32, _, _, _ int) error {
	if f.cancel != nil && f.runs >= len(f.took) {
		f.cancel()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.clock.at = f.clock.at.Add(f.took[min(f.runs, len(f.took)-1)])
	f.runs++
	for i := range dst {
		dst[i] = f.value
	}
	if f.log != nil {
		*f.log = append(*f.log, f.name)
	}
	return nil
}

func (f *fakeRunner) Capabilities() engine.Capabilities {
	return engine.Capabilities{
		Kernels: "fake",
		Memory:  func() (packed, total int64) { return 250_000, 1_000_000 },
		Trace:   func(on bool) { f.traced = on },
		Layers: func() []engine.LayerTime {
			return []engine.LayerTime{
				{Name: "backbone.stem", Algorithm: "direct", Time: 5 * time.Millisecond},
				{Name: "head", Algorithm: "linear", Time: time.Millisecond},
			}
		},
	}
}

func (f *fakeRunner) Close() error { return nil }

// planOf is the plan of a built-in config.
func planOf(t *testing.T, name string) *model.Plan {
	t.Helper()
	r, err := recipe.Load(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Network
}

// subject is a row of a plan that a runner stands for.
func subject(t *testing.T, variant string, plan *model.Plan, r engine.Runner) Subject {
	t.Helper()
	row := Row{Config: "c", Variant: variant, Device: "cpu", Precision: "fp32", BatchSize: 2, Threads: 1, InputSize: 32, Weights: "seeded random"}
	if err := row.Describe(plan); err != nil {
		t.Fatal(err)
	}
	return Subject{Row: row, Plan: plan, Open: func() (engine.Runner, error) { return r, nil }}
}

// options measure with a fake clock on an idle machine of 2 cores.
func options(clock *fakeClock, runs int) Options {
	return Options{Runs: runs, Duration: time.Second, Warmup: -1, now: clock.now,
		load: func() (Load, bool) { return Load{Cores: 2}, true }}
}

func ms(values ...float64) []time.Duration {
	var d []time.Duration
	for _, v := range values {
		d = append(d, time.Duration(v*1e6))
	}
	return d
}

// zooReport has all published variants, of speeds that follow from their FLOPs.
func zooReport(t *testing.T) *Report {
	t.Helper()
	r := &Report{Machine: Machine{Time: "2026-11-23T12:00:00Z", Repvgg: "v1", Go: "go1.26", OS: "linux", Arch: "amd64",
		CPU: "Some Company(R) Processor(R) <8> Server Platinum 8888C CPU @ 2.70GHz", Cores: 8, Features: []string{"avx2"}, Kernels: "avx2", JPEGDecoder: "Go"}}
	clock := &fakeClock{}
	for i, p := range repvgg.Zoo() {
		for _, form := range []model.Form{model.Train, model.Deploy} {
			plan := planOf(t, p.TrainConfig).As(form)
			row := subject(t, p.Name[len("RepVGG-"):], plan, nil).Row
			gflops := 300 + 20*float64(i%3)
			if form == model.Train {
				gflops *= 0.8
			}
			took := time.Duration(2 * row.MACsGiga * 2 / gflops * 1e9)
			s := Subject{Row: row, Plan: plan, Open: func() (engine.Runner, error) { return &fakeRunner{clock: clock, took: []time.Duration{took}}, nil }}
			s.Row.PublishedTop1Percent = &p.Top1
			opts := options(clock, 6)
			opts.Peak = func(string, int) float64 { return 500 }
			rows, err := Measure(context.Background(), []Subject{s}, opts)
			if err != nil {
				t.Fatal(err)
			}
			rows[0].Layers = manyLayers(plan)
			r.Rows = append(r.Rows, rows...)
		}
	}
	for i := range r.Rows {
		if p := r.Rows[i].Variant; p != "A0" && p != "B1g4" {
			r.Rows[i].Layers = nil
		}
	}
	return r
}

func manyLayers(p *model.Plan) []Layer {
	var layers []Layer
	for i, b := range p.Blocks {
		g := 200 + 10*float64(i%7)
		layers = append(layers, Layer{Name: b.Name, Algorithm: fmt.Sprintf("winograd F(%d)", 2+2*(i%2)), TimeMS: 0.3 + 0.05*float64(i%5), GFLOPSPerSecond: &g})
	}
	layers[0].Algorithm = "direct"
	return layers
}
