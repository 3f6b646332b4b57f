package gpu

import (
	"fmt"
	"math"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// packer reads the values of a plan's tensors into the layouts of the device.
type packer struct {
	plan    *model.Plan
	weights Weights
	widths  []int // channelWidths
}

// hostLayer is a block's weights as the device wants them, in float32.
type hostLayer struct {
	*model.Block
	in, out int // channels, padded
	// conv3x3 is the deploy form's only convolution, or the train form's 3x3
	// branch; conv1x1 and scale, the identity branch, are empty where the block
	// has no such branch. The identity's shift is in conv1x1's bias.
	conv3x3, conv1x1 hostConv
	scale            []float32
	// reduce and expand are squeeze-and-excitation's.
	reduce, expand hostConv
}

// hostConv is a convolution or a linear layer: weights K, R, R, C/groups and a
// bias for each channel.
type hostConv struct{ weight, bias []float32 }

// layer packs a block.
func (p *packer) layer(i int) (*hostLayer, error) {
	b := &p.plan.Blocks[i]
	l := &hostLayer{Block: b, in: p.widths[i], out: p.widths[i+1]}
	var err error
	if p.plan.Form == model.Deploy {
		weight, bias := b.Fused()
		l.conv3x3, err = p.fused(l, weight, bias)
	} else {
		err = p.branches(l)
	}
	if specs := b.SETensors(); err == nil && len(specs) > 0 {
		if l.reduce, err = p.linear(specs[0], specs[1], b.Squeeze, l.out); err == nil {
			l.expand, err = p.linear(specs[2], specs[3], l.out, b.Squeeze)
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

func (p *packer) fused(l *hostLayer, weight, bias string) (hostConv, error) {
	w, err := p.values(weightSpec(l.Block, weight, 3))
	if err != nil {
		return hostConv{}, err
	}
	b, err := p.values(tensor.Spec{Name: bias, Shape: []int{l.Out}})
	if err != nil {
		return hostConv{}, err
	}
	return hostConv{packKRSC(w, l.Block, 3, l.in, l.out), pad(b, l.out)}, nil
}

// branches folds each branch's batch normalization into its own convolution.
func (p *packer) branches(l *hostLayer) error {
	shifts := [2][]float64{}
	var weights [2][]float32
	for i, names := range []model.ConvBN{l.Conv3x3(), l.Conv1x1()} {
		kernel := 3 - 2*i
		scaled, shift, err := l.ConvNorm(names, kernel, p.values)
		if err != nil {
			return err
		}
		weights[i], shifts[i] = packKRSC(scaled, l.Block, kernel, l.in, l.out), shift
	}
	if l.Identity {
		scale, shift, err := l.Norm(l.IdentityNorm(), p.values)
		if err != nil {
			return err
		}
		for c, v := range shift {
			shifts[1][c] += v
		}
		l.scale = pad(narrow(scale), l.out)
	}
	l.conv3x3 = hostConv{weights[0], pad(narrow(shifts[0]), l.out)}
	l.conv1x1 = hostConv{weights[1], pad(narrow(shifts[1]), l.out)}
	return nil
}

// linear packs a matrix, with rows and columns of zeros added.
func (p *packer) linear(weight, bias tensor.Spec, rows, columns int) (hostConv, error) {
	w, err := p.values(weight)
	if err != nil {
		return hostConv{}, err
	}
	b, err := p.values(bias)
	if err != nil {
		return hostConv{}, err
	}
	return hostConv{packRows(w, weight.Shape[0], weight.Shape[1], rows, columns), pad(b, rows)}, nil
}

func (p *packer) values(spec tensor.Spec) ([]float32, error) {
	v, err := p.weights(spec)
	if err != nil {
		return nil, err
	}
	if len(v) != spec.Numel() {
		return nil, fmt.Errorf("tensor %q has %d values, want %d", spec.Name, len(v), spec.Numel())
	}
	return v, nil
}

func weightSpec(b *model.Block, name string, kernel int) tensor.Spec {
	return tensor.Spec{Name: name, Shape: []int{b.Out, b.In / b.Groups, kernel, kernel}}
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// fits reports values that a precision turns into infinities.
func (p Precision) fits(what string, values []float32) error {
	if p != FP16 {
		return nil
	}
	for _, v := range values {
		if f := math.Abs(float64(v)); f > p.largest() && !math.IsInf(f, 0) {
			return fmt.Errorf("%s has the value %g, but fp16 ends at %g; use --precision bf16, tf32 or fp32", what, v, p.largest())
		}
	}
	return nil
}
