package cpu

import (
	"errors"
	"fmt"
	"slices"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// packer makes layers of a plan's blocks, and has the values of their tensors packed.
type packer struct {
	plan       *model.Plan
	weights    tensor.Source
	variant    *kernel.Variant
	algorithms []algorithm // by block
	stream     *stream
}

// network is the blocks that the result depends on, and the head; nil without one.
func (p *packer) network() (layers []*layer, head *convolution, err error) {
	for i := range p.plan.Blocks[:p.plan.Depth] {
		l, err := p.layer(i)
		if err != nil {
			return nil, nil, fmt.Errorf("packing block %q: %w", p.plan.Blocks[i].Name, err)
		}
		layers = append(layers, l)
	}
	tensors := p.plan.HeadTensors()
	if tensors == nil {
		return layers, nil, nil
	}
	c, err := p.linear(tensors[0], tensors[1], false)
	if err != nil {
		return nil, nil, fmt.Errorf("packing the head: %w", err)
	}
	return layers, &c, nil
}

// layer packs a block.
func (p *packer) layer(i int) (*layer, error) {
	l, a := &layer{Block: &p.plan.Blocks[i]}, p.algorithms[i]
	if a.m == 0 {
		// A planar map has no cells for an identity branch to add to.
		planar := i == 0 && a == direct && l.In < kernel.Lanes && !identities(p.plan.Form, l.Block)
		l.in = kernel.Format{Elem: a.elem, Planar: planar}
	}
	var err error
	if p.plan.Form == model.Deploy {
		err = p.folded(l, a)
	} else {
		err = p.branches(l, a)
	}
	if err != nil {
		return nil, err
	}
	if l.SE != nil {
		if l.se, err = p.excitation(l.SETensors()); err != nil {
			return nil, err
		}
	}
	l.rounds = a.m == 0 && len(l.others) == 0 && l.identity == nil && l.se == nil
	l.activate()
	return l, nil
}

// folded packs a block of the deploy form.
func (p *packer) folded(l *layer, a algorithm) error {
	bias, err := tensor.Load(p.weights, l.BiasSpec())
	if err != nil {
		return err
	}
	l.main, err = p.convolution(l.Conv, a, l.in, p.weights, l.WeightSpec(), kernel.Epilogue{Bias: kernel.PadChannels(bias)})
	return err
}

// branches packs a block of the train form. The convolutions' biases are added up:
// each branch after the main one starts from the sums before it.
func (p *packer) branches(l *layer, a algorithm) error {
	var main *model.FoldedBranch
	var others []*model.FoldedBranch
	var scale, shift []float64 // of the identities
	for i := range l.Branches {
		f, err := l.Fold(i, p.weights)
		switch {
		case err != nil:
			return err
		case f.Identity() && scale == nil:
			scale, shift = f.Scale, f.Shift
		case f.Identity():
			addTo(scale, f.Scale)
			addTo(shift, f.Shift)
		case i == mainBranch(l.Block):
			main = f
		default:
			others = append(others, f)
		}
	}
	if main == nil {
		return errors.New("a block without a convolution is not supported in the train form")
	}
	for _, f := range others {
		addTo(main.Shift, f.Shift)
	}
	var err error
	if l.main, err = p.convolution(*main.Conv, a, l.in, main, main.WeightSpec(), kernel.Epilogue{Bias: narrowed(main.Shift)}); err != nil {
		return err
	}
	for _, f := range others {
		c, err := p.convolution(*f.Conv, direct, kernel.Format{Planar: l.in.Planar}, f, f.WeightSpec(), kernel.Epilogue{Add: true})
		if err != nil {
			return err
		}
		l.others = append(l.others, c)
	}
	if scale != nil {
		l.identity = &affine{scale: narrowed(scale), shift: narrowed(shift)}
	}
	return nil
}

// convolution packs the weights that a source has for an algorithm: a direct one for
// maps of the format in, one of Winograd's for cells of Float32.
func (p *packer) convolution(s model.Conv, a algorithm, in kernel.Format, src tensor.Source, weight tensor.Spec, ep kernel.Epilogue) (convolution, error) {
	var c packed
	var err error
	if a.m == 0 {
		c, err = p.variant.NewConv(s, in)
	} else {
		c, err = p.variant.NewWinograd(s, a.m, a.elem)
	}
	if err != nil {
		return convolution{}, err
	}
	return convolution{c, ep}, p.stream.send(c, src, weight)
}

// excitation packs the four tensors of squeeze-and-excitation.
func (p *packer) excitation(tensors []tensor.Spec) (*excitation, error) {
	reduce, err := p.linear(tensors[0], tensors[1], true)
	if err != nil {
		return nil, err
	}
	expand, err := p.linear(tensors[2], tensors[3], false)
	if err != nil {
		return nil, err
	}
	return &excitation{reduce: reduce, expand: expand}, nil
}

// linear packs a linear layer, with ReLU or not, as a 1x1 convolution.
func (p *packer) linear(weight, bias tensor.Spec, relu bool) (convolution, error) {
	b, err := tensor.Load(p.weights, bias)
	if err != nil {
		return convolution{}, err
	}
	ep := kernel.Epilogue{Bias: kernel.PadChannels(b), ReLU: relu}
	return p.convolution(model.Linear(weight.Shape[1], weight.Shape[0]), direct, kernel.Format{}, p.weights, weight, ep)
}

// mainBranch is the index of the train form's first branch with the largest
// kernel, or -1 if no branch has a convolution.
func mainBranch(b *model.Block) int {
	main := -1
	for i := range b.Branches {
		if c := b.Branches[i].Conv; c != nil && (main < 0 || c.Taps() > b.Branches[main].Conv.Taps()) {
			main = i
		}
	}
	return main
}

// mainConv is the convolution that takes most of a layer's time.
func mainConv(form model.Form, b *model.Block) model.Conv {
	if i := mainBranch(b); form == model.Train && i >= 0 {
		return *b.Branches[i].Conv
	}
	return b.Conv
}

// identities reports whether a form of a block adds its input.
func identities(form model.Form, b *model.Block) bool {
	return form == model.Train && slices.ContainsFunc(b.Branches, func(b model.Branch) bool { return b.Identity() })
}

func addTo(sum, x []float64) {
	for i, v := range x {
		sum[i] += v
	}
}

// narrowed are values of channels as kernels take them.
func narrowed(x []float64) []float32 { return kernel.PadChannels(engine.Narrow(x)) }
