package main

import (
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/gpu"
	"repvgg/internal/model"
	"repvgg/internal/shard"
	"repvgg/internal/tensor"
)

// Where a network runs. auto is the cpu: results must not depend on what a
// machine has; a GPU is asked for by cuda.
const (
	deviceAuto = "auto"
	deviceCPU  = "cpu"
	deviceCUDA = "cuda"
)

// precisionsOf are what a device can compute in.
func precisionsOf(device string) []string {
	if device == deviceCUDA {
		return engine.PrecisionNames(gpu.Precisions())
	}
	return engine.PrecisionNames(cpu.Precisions())
}

// checkDevice checks --device and --precision together.
func checkDevice(device string, known, precisions []string) error {
	if !slices.Contains(known, device) {
		return fmt.Errorf("unavailable device %q: want one of %s", device, strings.Join(known, ", "))
	}
	of := precisionsOf(device)
	if len(precisions) == 0 {
		return fmt.Errorf("--precision needs a value: one of %s", strings.Join(of, ", "))
	}
	for _, p := range precisions {
		if !slices.Contains(of, p) {
			if device != deviceCUDA && slices.Contains(precisionsOf(deviceCUDA), p) {
				return fmt.Errorf("--precision %s needs --device cuda; the CPU has %s", p, strings.Join(of, ", "))
			}
			return fmt.Errorf("--precision %s: want one of %s", p, strings.Join(of, ", "))
		}
	}
	return nil
}

// precisionHelp is what --precision can be, for each device.
func precisionHelp() string {
	return fmt.Sprintf("what to compute in: %s; with --device cuda: %s", strings.Join(precisionsOf(deviceCPU), ", "), strings.Join(precisionsOf(deviceCUDA), ", "))
}

// allPrecisions are those of any device, for completion.
func allPrecisions() []string {
	return distinct(append(precisionsOf(deviceCPU), precisionsOf(deviceCUDA)...))
}

// newRunner puts a network on the device that the settings name, for so many
// images.
func (e *evaluation) newRunner(plan *model.Plan, weights tensor.Source, images int) (engine.Runner, error) {
	s := e.settings
	if s.Device == deviceCUDA {
		return e.newRunnerOnGPU(plan, weights, images)
	}
	precision, err := engine.ParsePrecision(s.Precision[0], cpu.Precisions())
	if err != nil {
		return nil, err
	}
	height, width, _ := e.pipeline.OutputSize() // 0 if it is not known yet
	return cpu.New(plan, weights, cpu.Options{Threads: s.Threads, Precision: precision, Height: height, Width: width})
}

// newRunnerOnGPU is newRunner for a GPU. If the images' size is known, engines are
// chosen here, before any time is measured.
func (e *evaluation) newRunnerOnGPU(plan *model.Plan, weights tensor.Source, images int) (engine.Runner, error) {
	precision, err := engine.ParsePrecision(e.settings.Precision[0], gpu.Precisions())
	if err != nil {
		return nil, err
	}
	id, err := gpuOf(e.settings, e.group, gpu.Count)
	if err != nil {
		return nil, err
	}
	table, reverse := e.pipeline.Table(plan.InChannels)
	r, err := gpu.New(plan, weights, gpu.Options{
		GPU: id, Precision: precision, CheckLayers: precision == engine.FP16, Table: table, Reverse: reverse,
		Note: func(text string) { note(e.cmd, "%s", text) },
	})
	if err != nil {
		return nil, err
	}
	if height, width, ok := e.pipeline.OutputSize(); ok && images > 0 {
		if err := r.Prepare(e.cmd.Context(), min(e.batchSize, images), height, width); err != nil {
			_ = r.Close() // the first error counts
			return nil, err
		}
	}
	return r, nil
}

// gpuOf is the GPU of this process: --gpu-id, or among the processes of a
// launcher each takes the next of its machine, as in the original.
func gpuOf(s *settings, g shard.Group, count func() (int, error)) (int, error) {
	if g.World == 1 {
		return s.GPUID, nil
	}
	n, err := count()
	if err != nil || n == 0 {
		return 0, err // without a GPU, opening the first says so
	}
	return g.Local % n, nil
}
