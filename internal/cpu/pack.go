package cpu

import (
	"fmt"
	"math"
	"slices"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// layer is a block with its packed weights.
type layer struct {
	*model.Block
	// conv3x3 is the deploy form's only convolution, or the train form's 3x3
	// branch; conv1x1 and identity are nil where the block has no such branch.
	conv3x3, conv1x1 *kernel.Conv
	identity         *affine
	se               *excitation
}

// affine is y = scale*x + shift for each channel.
type affine struct{ scale, shift []float32 }

// excitation is a squeeze-and-excitation layer: two linear layers.
type excitation struct{ reduce, expand linear }

type linear struct{ weight, bias []float32 }

// packer reads the values of a plan's tensors.
type packer struct {
	form    model.Form
	weights Weights
	variant *kernel.Variant
}

func (p *packer) block(b *model.Block) (*layer, error) {
	l := &layer{Block: b}
	var err error
	if p.form == model.Deploy {
		weight, bias := b.Fused()
		l.conv3x3, err = p.convBias(b, weight, bias)
	} else {
		err = p.branches(l)
	}
	if err != nil {
		return nil, err
	}
	if specs := b.SETensors(); len(specs) > 0 {
		l.se = &excitation{}
		for i, dst := range []*[]float32{&l.se.reduce.weight, &l.se.reduce.bias, &l.se.expand.weight, &l.se.expand.bias} {
			if *dst, err = p.values(specs[i]); err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

func (p *packer) convBias(b *model.Block, weight, bias string) (*kernel.Conv, error) {
	shape := conv3x3(b)
	w, err := p.values(weightSpec(weight, shape))
	if err != nil {
		return nil, err
	}
	v, err := p.values(tensor.Spec{Name: bias, Shape: []int{b.Out}})
	if err != nil {
		return nil, err
	}
	return p.variant.NewConv(shape, w, v)
}

func (p *packer) branches(l *layer) error {
	var err error
	if l.conv3x3, err = p.convNorm(l.Block, l.Conv3x3(), conv3x3(l.Block)); err != nil {
		return err
	}
	if l.conv1x1, err = p.convNorm(l.Block, l.Conv1x1(), conv1x1(l.Block)); err != nil {
		return err
	}
	if !l.Identity {
		return nil
	}
	scale, shift, err := p.norm(l.Block, l.IdentityNorm())
	l.identity = &affine{narrow(scale), narrow(shift)}
	return err
}

// convNorm folds a branch's batch normalization into its convolution, in
// float64: each weight is rounded once.
func (p *packer) convNorm(b *model.Block, names model.ConvBN, shape kernel.ConvShape) (*kernel.Conv, error) {
	weight, err := p.values(weightSpec(names.Weight, shape))
	if err != nil {
		return nil, err
	}
	scale, shift, err := p.norm(b, names)
	if err != nil {
		return nil, err
	}
	row := len(weight) / b.Out
	for i, w := range weight {
		weight[i] = float32(float64(w) * scale[i/row])
	}
	return p.variant.NewConv(shape, weight, narrow(shift))
}

// norm is a batch normalization as scale and shift of each channel.
func (p *packer) norm(b *model.Block, names model.ConvBN) (scale, shift []float64, err error) {
	var v [4][]float32
	for i, name := range []string{names.Gamma(), names.Beta(), names.Mean(), names.Var()} {
		if v[i], err = p.values(tensor.Spec{Name: name, Shape: []int{b.Out}}); err != nil {
			return nil, nil, err
		}
	}
	gamma, beta, mean, variance := v[0], v[1], v[2], v[3]
	scale, shift = make([]float64, b.Out), make([]float64, b.Out)
	for c := range scale {
		if !(variance[c] >= 0) {
			return nil, nil, fmt.Errorf("%s of channel %d is %v; the training run diverged, or the file is damaged", names.Var(), c, variance[c])
		}
		scale[c] = float64(gamma[c]) / math.Sqrt(float64(variance[c])+b.Eps)
		shift[c] = float64(beta[c]) - float64(mean[c])*scale[c]
	}
	return scale, shift, nil
}

// values are a copy of a tensor.
func (p *packer) values(spec tensor.Spec) ([]float32, error) {
	v, err := p.weights(spec)
	if err != nil {
		return nil, err
	}
	if len(v) != spec.Numel() {
		return nil, fmt.Errorf("tensor %q: want the %d values of %s, got %d", spec.Name, spec.Numel(), tensor.FormatShape(spec.Shape), len(v))
	}
	return slices.Clone(v), nil
}

func conv3x3(b *model.Block) kernel.ConvShape {
	return kernel.ConvShape{In: b.In, Out: b.Out, Kernel: 3, Stride: b.Stride, Pad: b.Dilation, Dilation: b.Dilation, Groups: b.Groups}
}

func conv1x1(b *model.Block) kernel.ConvShape {
	return kernel.ConvShape{In: b.In, Out: b.Out, Kernel: 1, Stride: b.Stride, Dilation: 1, Groups: b.Groups}
}

func weightSpec(name string, s kernel.ConvShape) tensor.Spec {
	return tensor.Spec{Name: name, Shape: []int{s.Out, s.In / s.Groups, s.Kernel, s.Kernel}}
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}
