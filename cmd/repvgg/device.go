package main

import (
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/app"
	"repvgg/internal/engine"
)

// Where a network runs. auto is the cpu: results must not depend on what a
// machine has; a GPU is asked for by cuda.
const (
	deviceAuto = "auto"
	deviceCPU  = "cpu"
	deviceCUDA = "cuda"
)

// deviceSettings are those of commands that run networks where they are told to.
type deviceSettings struct {
	Device    string   `mapstructure:"device"`
	GPUID     int      `mapstructure:"gpu-id"`
	Precision []string `mapstructure:"precision"`
}

// check checks --device, one of the known ones, --gpu-id and --precision together.
func (s *deviceSettings) check(known ...string) error {
	if !slices.Contains(known, s.Device) {
		return fmt.Errorf("unavailable device %q: want one of %s", s.Device, strings.Join(known, ", "))
	}
	of := precisionsOf(s.Device)
	if len(s.Precision) == 0 {
		return fmt.Errorf("--precision needs a value: one of %s", strings.Join(of, ", "))
	}
	for _, p := range s.Precision {
		if !slices.Contains(of, p) {
			if s.Device != deviceCUDA && slices.Contains(precisionsOf(deviceCUDA), p) {
				return fmt.Errorf("--precision %s needs --device cuda; the CPU has %s", p, strings.Join(of, ", "))
			}
			return fmt.Errorf("--precision %s: want one of %s", p, strings.Join(of, ", "))
		}
	}
	if s.GPUID < 0 {
		return fmt.Errorf("--gpu-id %d: want a GPU from 0", s.GPUID)
	}
	return nil
}

// device is what checked settings ask for, in the first of the precisions.
func (s *deviceSettings) device(threads int) (app.Device, error) {
	d := app.Device{CUDA: s.Device == deviceCUDA, GPU: s.GPUID, Threads: threads}
	var err error
	d.Precision, err = engine.ParsePrecision(s.Precision[0], app.Precisions(d.CUDA))
	return d, err
}

// precisionsOf are what a device can compute in.
func precisionsOf(device string) []string {
	return engine.PrecisionNames(app.Precisions(device == deviceCUDA))
}

// precisionHelp is what --precision can be, for each device.
func precisionHelp() string {
	return fmt.Sprintf("what to compute in: %s; with --device cuda: %s", strings.Join(precisionsOf(deviceCPU), ", "), strings.Join(precisionsOf(deviceCUDA), ", "))
}

// allPrecisions are those of any device, for completion.
func allPrecisions() []string {
	all := append(precisionsOf(deviceCPU), precisionsOf(deviceCUDA)...)
	slices.Sort(all)
	return slices.Compact(all)
}
