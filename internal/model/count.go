package model

import (
	"fmt"
	"math"
)

// Cost is the size of a part of a network and its work for one image. It is counted
// like the published figures, which come from mmcv's flops_counter.py: a
// multiply-accumulate is one FLOP.
type Cost struct {
	// Params returns the number of trainable parameters. The running statistics of
	// batch normalizations are not included.
	Params int64
	// FLOPs is the number of operations in convolutions (k*k*in*out/groups per pixel,
	// plus one per output value for a bias), batch normalizations (2 per value), ReLU
	// (1 per value) and pooling (1 per input value). Additions, multiplications and the
	// sigmoid of squeeze-and-excitation are not counted.
	FLOPs int64
	// MACs is the number of multiply-accumulates in convolutions only. For GFLOP/s,
	// each counts as two floating-point operations.
	MACs int64
}

// Plus returns the sum of two costs.
func (c Cost) Plus(d Cost) Cost {
	return Cost{Params: c.Params + d.Params, FLOPs: c.FLOPs + d.FLOPs, MACs: c.MACs + d.MACs}
}

// Count is the cost of a plan for one image.
type Count struct {
	// Total includes all blocks, the pooling and the head.
	Total Cost
	// Blocks has one entry for each of Plan.Blocks.
	Blocks []BlockCost
	// Pool is the global average pooling before the head.
	Pool Cost
	// Head is the linear layer. It has only Params, because the original counts
	// operations only up to it. The layer does Classes * Features multiply-accumulates.
	Head Cost
}

// Params returns the number of trainable parameters.
func (p *Plan) Params() int64 {
	var n int64
	for i := range p.Blocks {
		n += p.Blocks[i].cost(p.Form, 1).Total().Params
	}
	return n + p.headCost().Params
}

// FLOPs returns the number of operations for one image of h x w, counted like the
// published figures; see Cost. In the deploy form, squeeze-and-excitation is
// counted, because it must run. The original's deploy form leaves it out, and so
// does the published figure for D2se (32.85 G instead of 32.86 G).
func (p *Plan) FLOPs(h, w int) (int64, error) {
	c, err := p.Count(h, w)
	if err != nil {
		return 0, err
	}
	return c.Total.FLOPs, nil
}

// Count returns the cost for one image of h x w. As in the original, which runs
// them, blocks after Depth count. The error says which sizes are possible.
func (p *Plan) Count(h, w int) (*Count, error) {
	if h < 1 || h > MaxSide || w < 1 || w > MaxSide {
		return nil, fmt.Errorf("counting operations: want a height and width from 1 to %d, got %d x %d", MaxSide, h, w)
	}
	c := &Count{Blocks: make([]BlockCost, len(p.Blocks))}
	approximate := 0.0
	for i := range p.Blocks {
		b := &p.Blocks[i]
		inH, inW := h, w
		h, w = b.OutSize(h, w)
		pixels := int64(h) * int64(w)
		// The extra tap and operations are for the bias, the norms and the activation.
		operations := float64(b.Taps()+7) * float64(b.In/b.Groups+1)
		if b.SE != nil {
			operations += float64(b.SE.Channels)
		}
		approximate += operations * float64(len(b.Branches)+1) * float64(pixels) * float64(b.Out)
		c.Blocks[i] = b.cost(p.Form, pixels)
		c.Blocks[i].InH, c.Blocks[i].InW, c.Blocks[i].OutH, c.Blocks[i].OutW = inH, inW, h, w
		c.Total = c.Total.Plus(c.Blocks[i].Total())
		if p.Head != nil && i == p.Depth-1 {
			c.Pool = poolCost(int64(b.Out), pixels)
		}
	}
	if approximate > math.MaxInt64/2 {
		return nil, fmt.Errorf("counting operations: the network does %.3g of them on such an image, which is too many to count", approximate)
	}
	c.Head = p.headCost()
	c.Total = c.Total.Plus(c.Pool).Plus(c.Head)
	return c, nil
}

// MaxSide bounds the height and width of an image, so that counts stay exact.
const MaxSide = 1 << 16

func (p *Plan) headCost() Cost {
	if p.Head == nil {
		return Cost{}
	}
	return Cost{Params: int64(p.Head.Classes) * int64(p.Head.Features+1)}
}

// BlockCost is the cost of a block by module. A module that the block lacks has
// zero cost.
type BlockCost struct {
	// InH, InW, OutH and OutW are the sizes of the input and the output.
	InH, InW, OutH, OutW int
	// Branches has one entry for each branch, in the train form.
	Branches []BranchCost
	// Folded is the convolution of the deploy form.
	Folded     Cost
	Activation Cost
	SE         SECost
}

// BranchCost is the cost of a branch.
type BranchCost struct{ Conv, Norm Cost }

// SECost is the cost of squeeze-and-excitation.
type SECost struct{ Pool, Reduce, ReLU, Expand Cost }

// Total returns the cost of the whole block.
func (b BlockCost) Total() Cost {
	total := b.Folded.Plus(b.SE.Pool).Plus(b.SE.Reduce).Plus(b.SE.ReLU).Plus(b.SE.Expand).Plus(b.Activation)
	for _, branch := range b.Branches {
		total = total.Plus(branch.Conv).Plus(branch.Norm)
	}
	return total
}

// cost returns the cost of a block whose output has the given number of pixels.
func (b *Block) cost(form Form, pixels int64) BlockCost {
	out := int64(b.Out)
	var c BlockCost
	if b.Activation == ReLU {
		c.Activation = reluCost(out, pixels)
	}
	if form == Deploy {
		c.Folded = b.Conv.cost(pixels).Plus(biasCost(out, pixels))
	} else {
		c.Branches = make([]BranchCost, len(b.Branches))
		for i := range b.Branches {
			c.Branches[i] = b.Branches[i].cost(out, pixels)
		}
	}
	if b.SE != nil {
		squeeze := int64(b.SE.Channels)
		weights := Cost{Params: out * squeeze, FLOPs: out * squeeze, MACs: out * squeeze}
		c.SE = SECost{
			Pool:   poolCost(out, pixels),
			Reduce: weights.Plus(biasCost(squeeze, 1)),
			ReLU:   reluCost(squeeze, 1),
			Expand: weights.Plus(biasCost(out, 1)),
		}
	}
	return c
}

func (b *Branch) cost(channels, pixels int64) (c BranchCost) {
	if b.Conv != nil {
		c.Conv = b.Conv.cost(pixels)
		if b.Bias != "" {
			c.Conv = c.Conv.Plus(biasCost(channels, pixels))
		}
	}
	if b.Norm != nil {
		c.Norm = normCost(channels, pixels)
	}
	return c
}

// cost returns the cost of a convolution without a bias.
func (c Conv) cost(pixels int64) Cost {
	params := int64(c.Taps()) * int64(c.Out) * int64(c.In/c.Groups)
	return Cost{Params: params, FLOPs: params * pixels, MACs: params * pixels}
}

func biasCost(channels, pixels int64) Cost {
	return Cost{Params: channels, FLOPs: channels * pixels}
}

// normCost returns the cost of a batch normalization at inference: a scale and a
// shift.
func normCost(channels, pixels int64) Cost {
	return Cost{Params: 2 * channels, FLOPs: 2 * channels * pixels}
}

func reluCost(channels, pixels int64) Cost { return Cost{FLOPs: channels * pixels} }

func poolCost(channels, pixels int64) Cost { return Cost{FLOPs: channels * pixels} }
