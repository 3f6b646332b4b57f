package model

import (
	"fmt"
	"math"
	"strconv"

	"repvgg/internal/python"
)

// Cost is what a part of a network holds and does for one image, counted as
// mmcv's flops_counter.py does, which gave the published figures: a
// multiply-accumulate is one FLOP.
type Cost struct {
	// Params are the trainable parameters: batch normalization's running
	// statistics are not among them.
	Params int64
	// FLOPs are those of convolutions (k*k*in*out/groups per pixel, one more
	// per output value for a bias), of batch normalizations (2 per value), of
	// ReLU (1 per value) and of pooling (1 per input value). Additions,
	// multiplications and the sigmoid of squeeze-and-excitation are not counted.
	FLOPs int64
	// MACs are the multiply-accumulates of convolutions alone: of what is
	// measured in GFLOP/s, two floating point operations each.
	MACs int64
}

// Plus is the cost of two parts.
func (c Cost) Plus(d Cost) Cost {
	return Cost{Params: c.Params + d.Params, FLOPs: c.FLOPs + d.FLOPs, MACs: c.MACs + d.MACs}
}

// Count is the cost of a plan for one image.
type Count struct {
	// Total has all blocks, the pooling and the head.
	Total Cost
	// Blocks has one entry for each of Plan.Blocks.
	Blocks []BlockCount
	// Pool is the global average pooling before the head.
	Pool Cost
	// Head is the linear layer: only Params, because the original counts what
	// leads up to it. It does Classes * Features multiply-accumulates.
	Head Cost
}

// BlockCount is the cost of one block.
type BlockCount struct {
	Cost
	// InH, InW, OutH, OutW are the sizes of its input and output.
	InH, InW, OutH, OutW int
}

// Params is the number of trainable parameters.
func (p *Plan) Params() int64 {
	var n int64
	for i := range p.Blocks {
		n += p.Blocks[i].parts(p.Form, 1).total().Params
	}
	return n + p.headCost().Params
}

// FLOPs is the number of operations for one image of h x w, counted as the
// published figures are: see Cost. In the deploy form squeeze-and-excitation
// counts, as it must run; the original's deploy form leaves it out, and so does
// the published figure of D2se (32.85 G instead of 32.86 G).
func (p *Plan) FLOPs(h, w int) (int64, error) {
	c, err := p.Count(h, w)
	if err != nil {
		return 0, err
	}
	return c.Total.FLOPs, nil
}

// Count is the cost for one image of h x w. As in the original, blocks after
// Depth count: they are run there. The error says which sizes are possible.
func (p *Plan) Count(h, w int) (*Count, error) {
	if !inRange(h, MaxSide) || !inRange(w, MaxSide) {
		return nil, fmt.Errorf("counting operations: want a height and width from 1 to %d, got %d x %d", MaxSide, h, w)
	}
	c := &Count{Blocks: make([]BlockCount, len(p.Blocks))}
	approximate := 0.0
	for i := range p.Blocks {
		b := &p.Blocks[i]
		bc := &c.Blocks[i]
		bc.InH, bc.InW = h, w
		h, w = b.OutSize(h), b.OutSize(w)
		bc.OutH, bc.OutW = h, w
		pixels := int64(h) * int64(w)
		// 16 is above the operations per weight and pixel: 9 + 1, bias, norms.
		approximate += 16 * float64(pixels) * float64(b.Out) * float64(b.In/b.Groups+b.Squeeze+1)
		bc.Cost = b.parts(p.Form, pixels).total()
		c.Total = c.Total.Plus(bc.Cost)
		if p.Head != nil && i == p.Depth-1 {
			c.Pool = poolCost(int64(b.Out), pixels)
		}
	}
	if approximate > math.MaxInt64/2 {
		return nil, fmt.Errorf("counting operations: the network does %.3g of them on such an image, too many to count", approximate)
	}
	c.Head = p.headCost()
	c.Total = c.Total.Plus(c.Pool).Plus(c.Head)
	return c, nil
}

// MaxSide bounds the sides of an image, so that counts stay exact.
const MaxSide = 1 << 16

func (p *Plan) headCost() Cost {
	if p.Head == nil {
		return Cost{}
	}
	return Cost{Params: int64(p.Head.Classes) * int64(p.Head.Features+1)}
}

// blockParts are the costs of a block's modules; those that it does not have
// are zero.
type blockParts struct {
	identity     Cost // normalization of the identity branch
	conv3, norm3 Cost
	conv1, norm1 Cost
	reparam      Cost
	act          Cost

	sePool, seReduce, seReLU, seExpand Cost
}

// parts are the costs of a block whose output has that many pixels.
func (b *Block) parts(form Form, pixels int64) blockParts {
	out := int64(b.Out)
	parts := blockParts{act: reluCost(out, pixels)}
	if form == Deploy {
		parts.reparam = b.convCost(3, pixels).Plus(biasCost(out, pixels))
	} else {
		parts.conv3, parts.norm3 = b.convCost(3, pixels), normCost(out, pixels)
		parts.conv1, parts.norm1 = b.convCost(1, pixels), normCost(out, pixels)
		if b.Identity {
			parts.identity = normCost(out, pixels)
		}
	}
	if b.Squeeze > 0 {
		squeeze := int64(b.Squeeze)
		weights := Cost{Params: out * squeeze, FLOPs: out * squeeze, MACs: out * squeeze}
		parts.sePool = poolCost(out, pixels)
		parts.seReduce = weights.Plus(biasCost(squeeze, 1))
		parts.seReLU = reluCost(squeeze, 1)
		parts.seExpand = weights.Plus(biasCost(out, 1))
	}
	return parts
}

func (p blockParts) se() Cost {
	return p.sePool.Plus(p.seReduce).Plus(p.seReLU).Plus(p.seExpand)
}

func (p blockParts) total() Cost {
	return p.identity.Plus(p.conv3).Plus(p.norm3).Plus(p.conv1).Plus(p.norm1).Plus(p.reparam).Plus(p.se()).Plus(p.act)
}

// convCost is that of a k x k convolution of the block, without a bias.
func (b *Block) convCost(k, pixels int64) Cost {
	params := k * k * int64(b.Out) * int64(b.In/b.Groups)
	return Cost{Params: params, FLOPs: params * pixels, MACs: params * pixels}
}

func biasCost(channels, pixels int64) Cost {
	return Cost{Params: channels, FLOPs: channels * pixels}
}

// normCost is that of a batch normalization at inference: a scale and a shift.
func normCost(channels, pixels int64) Cost {
	return Cost{Params: 2 * channels, FLOPs: 2 * channels * pixels}
}

func reluCost(channels, pixels int64) Cost { return Cost{FLOPs: channels * pixels} }

func poolCost(channels, pixels int64) Cost { return Cost{FLOPs: channels * pixels} }

// FormatParams is a number of parameters as the original prints it: "9.11 M".
func FormatParams(n int64) string {
	switch {
	case n >= 1e6:
		return python.Rounded(float64(n)/1e6, 2) + " M"
	case n >= 1e3:
		return python.Rounded(float64(n)/1e3, 2) + " k"
	}
	return strconv.FormatInt(n, 10)
}

// FormatFLOPs is a number of operations as the original prints it: "1.52 GFLOPs".
func FormatFLOPs(n int64) string { return python.Rounded(float64(n)/1e9, 2) + " GFLOPs" }
