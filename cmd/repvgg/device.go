package main

import (
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/app"
	"repvgg/internal/engine"
)

// Where a network runs. auto means the CPU, because results must not depend on
// which hardware a machine has. A GPU must be requested with cuda.
const (
	deviceAuto = "auto"
	deviceCPU  = "cpu"
	deviceCUDA = "cuda"
)

// deviceSettings are the settings of commands that let the user choose the device.
type deviceSettings struct {
	Device    string   `mapstructure:"device"`
	GPUID     int      `mapstructure:"gpu-id"`
	Precision []string `mapstructure:"precision"`
}

// check validates --device, which must be one of known, together with --gpu-id and
// --precision.
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
		return fmt.Errorf("--gpu-id %d: want 0 or more", s.GPUID)
	}
	return nil
}

// device returns the device that the settings ask for, with the first of the
// precisions. The settings must have passed check.
func (s *deviceSettings) device(threads int) (app.Device, error) {
	d := app.Device{CUDA: s.Device == deviceCUDA, GPU: s.GPUID, Threads: threads}
	var err error
	d.Precision, err = engine.ParsePrecision(s.Precision[0], app.Precisions(d.CUDA))
	return d, err
}

// precisionsOf returns the names of the precisions of a device.
func precisionsOf(device string) []string {
	return engine.PrecisionNames(app.Precisions(device == deviceCUDA))
}

// precisionHelp is the help text of --precision.
func precisionHelp() string {
	return fmt.Sprintf("precision to compute in: %s; with --device cuda: %s", strings.Join(precisionsOf(deviceCPU), ", "), strings.Join(precisionsOf(deviceCUDA), ", "))
}

// allPrecisions returns the precisions of all devices, for shell completion.
func allPrecisions() []string {
	all := append(precisionsOf(deviceCPU), precisionsOf(deviceCUDA)...)
	slices.Sort(all)
	return slices.Compact(all)
}
