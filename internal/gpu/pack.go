package gpu

import (
	"fmt"
	"math"
	"slices"

	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// packer reads a plan's tensors and brings them into the layouts of the device.
type packer struct {
	plan    *model.Plan
	weights tensor.Source
	widths  []int // channelWidths
}

// hostLayer is a block's weights in the layout of the device, in float32.
type hostLayer struct {
	*model.Block
	in, out int // channels, padded
	// main is the deploy form's only convolution, or the train form's branch with the
	// larger kernel. side is the train form's other convolution, and scale its
	// identity branch, whose shift is part of side's bias. They are empty where the
	// block has no such branch.
	main, side hostConv
	scale      []float32
	// reduce and expand are the linear layers of squeeze-and-excitation.
	reduce, expand hostConv
}

// hostConv is a convolution or a linear layer: weights K, R, R, C/groups and a
// bias for each channel.
type hostConv struct {
	shape        model.Conv // the convolution, without padded channels
	weight, bias []float32
}

// layer packs a block.
func (p *packer) layer(i int) (*hostLayer, error) {
	b := &p.plan.Blocks[i]
	l := &hostLayer{Block: b, in: p.widths[i], out: p.widths[i+1]}
	var err error
	if p.plan.Form == model.Deploy {
		l.main, err = p.folded(l)
	} else {
		err = p.branches(l)
	}
	if specs := b.SETensors(); err == nil && len(specs) > 0 {
		if l.reduce, err = p.linear(specs[0], specs[1], b.SE.Channels, l.out); err == nil {
			l.expand, err = p.linear(specs[2], specs[3], l.out, b.SE.Channels)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("packing block %q: %w", b.Name, err)
	}
	return l, nil
}

// head packs the classifier.
func (p *packer) head() (hostConv, error) {
	head := p.plan.HeadTensors()
	c, err := p.linear(head[0], head[1], p.plan.Head.Classes, p.widths[p.plan.Depth])
	if err != nil {
		return c, fmt.Errorf("packing the head: %w", err)
	}
	return c, nil
}

func (p *packer) folded(l *hostLayer) (hostConv, error) {
	w, err := tensor.Load(p.weights, l.WeightSpec())
	if err != nil {
		return hostConv{}, err
	}
	b, err := tensor.Load(p.weights, l.BiasSpec())
	if err != nil {
		return hostConv{}, err
	}
	return hostConv{l.Conv, packKRSC(w, l.Conv, l.in, l.out), pad(b, l.out)}, nil
}

// branches folds each branch's batch normalization into its own convolution.
func (p *packer) branches(l *hostLayer) error {
	var convolutions []*model.FoldedBranch // the larger kernel first
	var identity *model.FoldedBranch
	for i := range l.Branches {
		f, err := l.Fold(i, p.weights)
		switch {
		case err != nil:
			return err
		case f.Identity():
			identity = f
		default:
			convolutions = append(convolutions, f)
		}
	}
	slices.SortStableFunc(convolutions, func(a, b *model.FoldedBranch) int { return b.Conv.Taps() - a.Conv.Taps() })
	if identity != nil {
		for c, v := range identity.Shift {
			convolutions[1].Shift[c] += v
		}
		l.scale = pad(engine.Narrow(identity.Scale), l.out)
	}
	for i, to := range []*hostConv{&l.main, &l.side}[:len(convolutions)] {
		f := convolutions[i]
		w, err := tensor.Load(f, f.WeightSpec())
		if err != nil {
			return err
		}
		*to = hostConv{*f.Conv, packKRSC(w, *f.Conv, l.in, l.out), pad(engine.Narrow(f.Shift), l.out)}
	}
	return nil
}

// linear packs a matrix, with rows and columns of zeros added.
func (p *packer) linear(weight, bias tensor.Spec, rows, columns int) (hostConv, error) {
	w, err := tensor.Load(p.weights, weight)
	if err != nil {
		return hostConv{}, err
	}
	b, err := tensor.Load(p.weights, bias)
	if err != nil {
		return hostConv{}, err
	}
	return hostConv{weight: packRows(w, weight.Shape[0], weight.Shape[1], rows, columns), bias: pad(b, rows)}, nil
}

// fits refuses finite values that become infinite in a precision.
func (p precision) fits(what string, values []float32) error {
	if p != fp16 {
		return nil
	}
	for _, v := range values {
		if f := math.Abs(float64(v)); f > p.largest() && !math.IsInf(f, 0) {
			return fmt.Errorf("%s has the value %g, but fp16 ends at %g; use bf16, tf32 or fp32", what, v, p.largest())
		}
	}
	return nil
}
