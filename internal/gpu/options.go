package gpu

import (
	"fmt"
	"time"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// Weights gives the values of a tensor of the plan, dense and row-major. New
// neither changes nor keeps the slice.
type Weights func(spec tensor.Spec) ([]float32, error)

// Options of a Runner.
type Options struct {
	// GPU is which one, from 0.
	GPU       int
	Precision Precision
	// MaxBatch is how many images are computed at once; 0 means as many as a call
	// has. It is halved when memory is short.
	MaxBatch int
	// CheckLayers looks for values that are not finite after each layer, which
	// takes another pass over every map. Without it only fp16's results are looked
	// at, which an overflow need not reach: a ReLU can turn NaN into 0. The layer is
	// then found by a second run.
	CheckLayers bool
	// Resident leaves the images on the GPU: a Run with the slice of the Run
	// before does not copy them again. It is for measuring.
	Resident bool
	// NoTune takes the first engine that works instead of the fastest.
	NoTune bool
	// CacheDir is where the choices of engines are kept; empty means the user's
	// cache folder, NoCache nowhere.
	CacheDir string
	NoCache  bool
	// Table normalises images of bytes for StartBytes: 256 values for each channel
	// of the network's input. Reverse says that the bytes' channels are in the
	// other order (BGR for RGB).
	Table   []float32
	Reverse bool
	// Note, unless nil, is told what a user should know: that engines are chosen,
	// short memory, a damaged cache.
	Note func(text string)

	// method is the only one to take for convolutions, for tests.
	method string
}

// LayerTime is what a layer took in all runs since Trace.
type LayerTime struct {
	Name      string // the block's; "head" for pooling and classifying
	Algorithm string // of its 3x3 convolution
	Time      time.Duration
}

// maxBatch bounds how many images are computed at once: a grid of blocks has no
// more rows.
const maxBatch = 1<<16 - 1

// check refuses options that make no sense for a plan, and plans whose blocks do
// not fit together.
func (o *Options) check(p *model.Plan) error {
	if o.GPU < 0 {
		return fmt.Errorf("starting the GPU runner: want a GPU from 0, got %d", o.GPU)
	}
	if o.MaxBatch < 0 || o.MaxBatch > maxBatch {
		return fmt.Errorf("starting the GPU runner: want at most %d images at once, or 0 for all, got %d", maxBatch, o.MaxBatch)
	}
	if o.Table != nil && len(o.Table) != 256*p.InChannels {
		return fmt.Errorf("starting the GPU runner: want a table of 256 values for each of %d channels, got %d", p.InChannels, len(o.Table))
	}
	if int(o.Precision) >= len(precisions) {
		return fmt.Errorf("starting the GPU runner: unknown precision %d", o.Precision)
	}
	if p.Depth < 1 || p.Depth > len(p.Blocks) || p.InChannels < 1 {
		return fmt.Errorf("packing the network: want 1 to %d blocks, got %d", len(p.Blocks), p.Depth)
	}
	channels := p.InChannels
	for i := range p.Blocks[:p.Depth] {
		b := &p.Blocks[i]
		switch {
		case b.In != channels:
			return fmt.Errorf("packing block %q: it takes %d channels, but there are %d", b.Name, b.In, channels)
		case b.Out < 1 || b.Groups < 1 || b.Stride < 1 || b.Dilation < 1 || b.Squeeze < 0:
			return fmt.Errorf("packing block %q: want positive channels, groups, stride and dilation", b.Name)
		case b.In%b.Groups != 0 || b.Out%b.Groups != 0:
			return fmt.Errorf("packing block %q: %d groups do not divide %d and %d channels", b.Name, b.Groups, b.In, b.Out)
		case b.Identity && (b.In != b.Out || b.Stride != 1):
			return fmt.Errorf("packing block %q: an identity branch needs equal channels and stride 1", b.Name)
		}
		channels = b.Out
	}
	if p.Head != nil && (p.Head.Features != channels || p.Head.Classes < 1) {
		return fmt.Errorf("packing the head: it takes %d features to %d classes, but there are %d channels", p.Head.Features, p.Head.Classes, channels)
	}
	return nil
}

// checkRun refuses arguments of Run that do not fit together. have is the number
// of input values.
func checkRun(p *model.Plan, results, have, n, h, w int) error {
	if n < 0 || h < 1 || w < 1 {
		return fmt.Errorf("running the network: want images of at least 1x1, got %d of %dx%d", n, h, w)
	}
	if n == 0 {
		return nil
	}
	// By division, since the product may overflow.
	if in := have / n / p.InChannels / h; in != w || n*p.InChannels*h*w != have {
		return fmt.Errorf("running the network: %d values are not %d images of %dx%dx%d", have, n, p.InChannels, h, w)
	}
	out := p.OutLen(h, w)
	if results%n != 0 || results/n != out {
		return fmt.Errorf("running the network: want room for %d x %d results, got %d", n, out, results)
	}
	return nil
}
