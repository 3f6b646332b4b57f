package app

import (
	"context"
	"fmt"
	"slices"

	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/gpu"
	"repvgg/internal/model"
	"repvgg/internal/preprocess"
	"repvgg/internal/shard"
	"repvgg/internal/tensor"
)

// Device is where a network runs, and in what.
type Device struct {
	// CUDA is an NVIDIA GPU, the one of that number; otherwise it is the CPU.
	CUDA bool
	GPU  int
	// Precision is one of Precisions.
	Precision engine.Precision
	// Threads of the CPU; 0 means all cores.
	Threads int
}

// Precisions are those that a device can compute in, the default first.
func Precisions(cuda bool) []engine.Precision {
	if cuda {
		return gpu.Precisions()
	}
	return cpu.Precisions()
}

// Check reports a device that this machine does not have.
func (d Device) Check() error {
	if !slices.Contains(Precisions(d.CUDA), d.Precision) {
		return fmt.Errorf("%v is not a precision of this device", d.Precision)
	}
	if d.CUDA {
		return nil // opening it says more
	}
	return cpu.Supported(d.Precision)
}

// ofGroup is the device of a process: among those of a launcher each takes the
// next GPU of its machine, of as many as count gives.
func (d Device) ofGroup(g shard.Group, count func() (int, error)) (Device, error) {
	if !d.CUDA || g.World == 1 {
		return d, nil
	}
	n, err := count()
	if d.GPU = 0; err == nil && n > 0 { // without a GPU, opening the first says so
		d.GPU = g.Local % n
	}
	return d, err
}

// open puts a network on the device, for so many images that come out of a
// pipeline, batch at a time. On a GPU the engines are chosen now if the images'
// size is known.
func (d Device) open(ctx context.Context, h Host, p *model.Plan, src tensor.Source, pipeline *preprocess.Pipeline, images, batch int) (engine.Runner, error) {
	src = tensor.Interruptible(ctx, src)
	height, width, known := pipeline.OutputSize() // 0 if images differ
	if !d.CUDA {
		return cpu.New(p, src, cpu.Options{Threads: d.Threads, Precision: d.Precision, Height: height, Width: width})
	}
	table, reverse := pipeline.Table(p.InChannels)
	r, err := gpu.New(p, src, gpu.Options{
		GPU: d.GPU, Precision: d.Precision, CheckLayers: d.Precision == engine.FP16, Table: table, Reverse: reverse,
		Note: func(text string) { h.note(General, "%s", text) },
	})
	if err != nil {
		return nil, err
	}
	if known && images > 0 {
		if err := r.Prepare(ctx, min(batch, images), height, width); err != nil {
			_ = r.Close() // the first error counts
			return nil, err
		}
	}
	return r, nil
}
