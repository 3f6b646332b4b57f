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

// Device is where a network runs, and in which precision.
type Device struct {
	// CUDA chooses the NVIDIA GPU with the number GPU. Otherwise the network runs on
	// the CPU.
	CUDA bool
	GPU  int
	// Precision is one of Precisions.
	Precision engine.Precision
	// Threads is the number of CPU threads; 0 means all cores.
	Threads int
}

// Precisions returns the precisions of a device, the default first.
func Precisions(cuda bool) []engine.Precision {
	if cuda {
		return gpu.Precisions()
	}
	return cpu.Precisions()
}

// Check returns an error if this machine can't run the precision.
func (d Device) Check() error {
	if !slices.Contains(Precisions(d.CUDA), d.Precision) {
		return fmt.Errorf("%v is not a precision of this device", d.Precision)
	}
	if d.CUDA {
		return nil // opening the GPU reports what is missing
	}
	return cpu.Supported(d.Precision)
}

// ofGroup returns the device of this process. The processes of a launcher share the
// GPUs of their machine in turn; count returns the number of GPUs.
func (d Device) ofGroup(g shard.Group, count func() (int, error)) (Device, error) {
	if !d.CUDA || g.World == 1 {
		return d, nil
	}
	n, err := count()
	if d.GPU = 0; err == nil && n > 0 { // without a GPU, opening GPU 0 gives the error
		d.GPU = g.Local % n
	}
	return d, err
}

// open loads a network onto the device. images is the number of images that the
// pipeline will give, batch the number in a batch. On a GPU, the engines are chosen
// now if the size of the images is known.
func (d Device) open(ctx context.Context, h Host, p *model.Plan, src tensor.Source, pipeline *preprocess.Pipeline, images, batch int) (engine.Runner, error) {
	src = tensor.Interruptible(ctx, src)
	height, width, known := pipeline.OutputSize() // 0 if the sizes differ
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
