package gpu

import (
	"errors"
	"fmt"
	"slices"

	"repvgg/internal/engine"
	"repvgg/internal/model"
)

// Options of a Runner.
type Options struct {
	// GPU is which one, from 0.
	GPU int
	// Precision is one of Precisions.
	Precision engine.Precision
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
	if !slices.Contains(Precisions(), o.Precision) {
		return fmt.Errorf("starting the GPU runner: unknown precision %d", o.Precision)
	}
	if err := p.Check(); err != nil {
		return err
	}
	for i := range p.Blocks[:p.Depth] {
		if err := checkBlock(p.Form, &p.Blocks[i]); err != nil {
			return fmt.Errorf("checking block %q: %w", p.Blocks[i].Name, err)
		}
	}
	return nil
}

// checkBlock refuses blocks that this runner has no kernels for: it has square
// convolutions that keep the map but for the stride, and in the train form one
// of them, one more beside it, and an identity.
func checkBlock(form model.Form, b *model.Block) error {
	convolutions, identities := []model.Conv{b.Conv}, 0
	if form == model.Train {
		convolutions = nil
		for i := range b.Branches {
			if c := b.Branches[i].Conv; c != nil {
				convolutions = append(convolutions, *c)
			} else {
				identities++
			}
		}
		if len(convolutions) == 0 || len(convolutions) > 2 || identities > 1 || identities == 1 && len(convolutions) != 2 {
			return errors.New("the GPU runs the train form of blocks with two convolutions, with or without an identity; convert the checkpoint and run its deploy form")
		}
	}
	for _, c := range convolutions {
		if c.KernelH != c.KernelW || c.PadH != c.PadW || 2*c.PadH != c.Dilation*(c.KernelH-1) {
			return fmt.Errorf("the GPU has no %dx%d convolution with a padding of %dx%d", c.KernelH, c.KernelW, c.PadH, c.PadW)
		}
	}
	if b.Activation != model.ReLU {
		return errors.New("the GPU runs blocks that end in ReLU only")
	}
	return nil
}
