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
	// GPU is the number of the GPU, from 0.
	GPU int
	// Precision is one of Precisions.
	Precision engine.Precision
	// CheckLayers looks for values that are not finite after each layer, which takes
	// another pass over every map. Without it only fp16's results are checked, which
	// an overflow need not reach: a ReLU can turn NaN into 0. A second run then finds
	// the layer.
	CheckLayers bool
	// Resident is for measuring: a Run with the same slice of images as the Run
	// before does not copy them again.
	Resident bool
	// Table normalises images of bytes for StartBytes: 256 values for each channel
	// of the network's input. Reverse says that the bytes' channels are in the
	// opposite order (BGR for RGB).
	Table   []float32
	Reverse bool
	// Note, unless nil, is called with what a user should know: that engines are
	// chosen, short memory, a damaged file of choices.
	Note func(text string)

	// What follows is for tests; New sets cacheDir.

	// cacheDir is the folder of the chosen engines; empty keeps them nowhere.
	cacheDir string
	// maxBatch is how many images are computed at once; 0 for as many as a call has.
	// It is halved when memory is short.
	maxBatch int
	// noTune takes the first engine that works instead of the fastest.
	noTune bool
	// method, unless empty, is the only way to compute convolutions.
	method string
}

// maxImages bounds how many images are computed at once: a grid of blocks has no
// more rows.
const maxImages = 1<<16 - 1

// check refuses options that do not fit the plan, and plans that this runner can't
// run.
func (o *Options) check(p *model.Plan) error {
	if o.GPU < 0 {
		return fmt.Errorf("starting the GPU runner: want a GPU from 0, got %d", o.GPU)
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

// checkBlock refuses blocks that this runner has no kernels for. It runs square
// convolutions whose padding keeps the size of the map but for the stride. In the
// train form a block has one or two of them and, beside two, perhaps an identity.
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
