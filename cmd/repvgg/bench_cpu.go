package main

import (
	"context"

	"repvgg/internal/bench"
	"repvgg/internal/cpu"
	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
)

// cpuRunner is a cpu.Runner as bench wants it.
type cpuRunner struct{ *cpu.Runner }

// newCPURunner makes the runner of a row.
func newCPURunner(ctx context.Context, plan *model.Plan, w *benchWeights, row *bench.Row) (bench.Runner, error) {
	precision, err := cpu.ParsePrecision(row.Precision)
	if err != nil {
		return nil, err
	}
	r, err := cpu.New(plan, interruptible(ctx, w.of(plan)), cpu.Options{
		Threads: row.Threads, Precision: precision, Height: row.InputSize, Width: row.InputSize, LowLatency: row.LowLatency(),
	})
	if err != nil {
		return nil, err
	}
	if err := w.verify(plan); err != nil {
		r.Close()
		return nil, err
	}
	return cpuRunner{r}, nil
}

// Bytes implements bench.Runner.
func (r cpuRunner) Bytes() int64 { return r.PackedBytes() + r.Runner.Bytes() }

// Layers implements bench.Runner.
func (r cpuRunner) Layers() []bench.LayerTime {
	var layers []bench.LayerTime
	for _, l := range r.Runner.Layers() {
		if l.Algorithm == "" {
			l.Algorithm = "linear" // the head
		}
		layers = append(layers, bench.LayerTime{Name: l.Name, Algorithm: l.Algorithm, Time: l.Time})
	}
	return layers
}

// cpuKernels names the variant of the kernels that runners take.
func cpuKernels() string { return kernel.Variants()[0].String() }

// cpuPeak measures the most GFLOP/s of the machine's multiply-adds in a
// precision.
func cpuPeak(precision string, threads int) float64 {
	p, err := cpu.ParsePrecision(precision)
	if err != nil {
		return 0
	}
	return cpu.Peak(p, threads)
}
