package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"repvgg/internal/bench"
	"repvgg/internal/engine"
	"repvgg/internal/gpu"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// residentNote says what a run on the GPU does not include.
const residentNote = "the images lie on the GPU before the clock starts, as in benchmarks of PyTorch; the logits are copied back within each latency, and once for a queue of runs"

// newGPURunner makes the runner of a row, and tells machine what it runs on.
func newGPURunner(cmd *cobra.Command, s *settings, plan *model.Plan, w *benchWeights, row *bench.Row, machine *bench.Machine) (engine.Runner, error) {
	precision, err := engine.ParsePrecision(row.Precision, gpu.Precisions())
	if err != nil {
		return nil, err
	}
	r, err := gpu.New(plan, tensor.Interruptible(cmd.Context(), w.of(plan)), gpu.Options{
		GPU: s.GPUID, Precision: precision, Resident: true,
		Note: func(text string) { note(cmd, "%s", text) },
	})
	if err != nil {
		return nil, err
	}
	if err := w.verify(); err != nil {
		_ = r.Close() // the first error counts
		return nil, err
	}
	name, driver, cudnn := r.Hardware()
	machine.GPU, machine.GPUDriver, machine.CUDNN = &name, &driver, &cudnn
	return r, nil
}

// gpuPeak measures the most GFLOP/s of a GPU, once for each precision.
func gpuPeak(cmd *cobra.Command, s *settings) func(precision string, threads int) float64 {
	known := make(map[string]float64)
	return func(name string, _ int) float64 {
		if peak, ok := known[name]; ok {
			return peak
		}
		precision, err := engine.ParsePrecision(name, gpu.Precisions())
		if err == nil {
			known[name], err = gpu.Peak(cmd.Context(), s.GPUID, precision)
		}
		if err != nil {
			known[name] = 0
			note(cmd, "%v", fmt.Errorf("the GPU's peak is not known: %w", err))
		}
		return known[name]
	}
}
