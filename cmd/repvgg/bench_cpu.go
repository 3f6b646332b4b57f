package main

import (
	"context"

	"repvgg/internal/bench"
	"repvgg/internal/cpu"
	"repvgg/internal/cpu/kernel"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// newCPURunner makes the runner of a row.
func newCPURunner(ctx context.Context, plan *model.Plan, w *benchWeights, row *bench.Row) (engine.Runner, error) {
	precision, err := engine.ParsePrecision(row.Precision, cpu.Precisions())
	if err != nil {
		return nil, err
	}
	r, err := cpu.New(plan, tensor.Interruptible(ctx, w.of(plan)), cpu.Options{
		Threads: row.Threads, Precision: precision, Height: row.InputSize, Width: row.InputSize, LowLatency: row.LowLatency(),
	})
	if err != nil {
		return nil, err
	}
	if err := w.verify(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// cpuKernels names the variant of the kernels that runners take.
func cpuKernels() string { return kernel.Variants()[0].String() }

// cpuPeak measures the most GFLOP/s of the machine's multiply-adds in a
// precision.
func cpuPeak(precision string, threads int) float64 {
	p, err := engine.ParsePrecision(precision, cpu.Precisions())
	if err != nil {
		return 0
	}
	return cpu.Peak(p, threads)
}
