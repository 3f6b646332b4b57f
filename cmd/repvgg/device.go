package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/cpu"
	"repvgg/internal/eval"
	"repvgg/internal/gpu"
	"repvgg/internal/model"
	"repvgg/internal/preprocess"
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
		return gpu.Precisions()
	}
	return cpu.Precisions()
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
			return fmt.Errorf("--precision %s: want one of %s (with --device %s)", p, strings.Join(of, ", "), device)
		}
	}
	return nil
}

// precisionHelp is what --precision can be, for each device.
func precisionHelp() string {
	return fmt.Sprintf("what to compute in: %s; with --device cuda: %s", strings.Join(cpu.Precisions(), ", "), strings.Join(gpu.Precisions(), ", "))
}

// allPrecisions are those of any device, for completion.
func allPrecisions() []string {
	return distinct(append(cpu.Precisions(), gpu.Precisions()...))
}

// deviceRunner is a network on a device.
type deviceRunner interface {
	eval.Runner
	Close() error
}

// newRunner puts the network on the device that the settings name, for the images
// of a pipeline.
func newRunner(cmd *cobra.Command, s *settings, plan *model.Plan, weights func(tensor.Spec) ([]float32, error), images *preprocess.Pipeline) (deviceRunner, error) {
	if s.Device == deviceCUDA {
		precision, err := gpu.ParsePrecision(s.Precision[0])
		if err != nil {
			return nil, err
		}
		table, reverse := images.Table(plan.InChannels)
		return gpu.New(plan, weights, gpu.Options{
			GPU: s.GPUID, Precision: precision, CheckLayers: precision == gpu.FP16, Table: table, Reverse: reverse,
			Note: func(text string) { note(cmd, "%s", text) },
		})
	}
	precision, err := cpu.ParsePrecision(s.Precision[0])
	if err != nil {
		return nil, err
	}
	height, width, _ := images.OutputSize() // 0 if it is not known yet
	return cpu.New(plan, weights, cpu.Options{Threads: s.Threads, Precision: precision, Height: height, Width: width})
}
