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

// convolution is a kernel.Conv or a kernel.Winograd.
type convolution interface {
	Run(dst, src *kernel.Maps, n, share, shares int, ep kernel.Epilogue, scratch *kernel.Scratch)
	Border(h, w int) (top, left, bottom, right int)
	Panels() int
	Pieces() int
	Populate(piece int)
	Pack(panel int, rows []float32)
	Release()
	Bytes() int
	Algorithm() string
}

// layer is a block with its packed weights.
type layer struct {
	*model.Block
	// planar is whether the input is: that of the first layer, which has few
	// channels.
	planar bool
	// bf16 is whether main takes its input as bfloat16; rounds whether it can
	// give the layer's output so, if the next layer wants that.
	bf16, rounds bool
	// main is the deploy form's only convolution, or the train form's branch with
	// the largest kernel; others are its other convolutions, identity the sum of its
	// identity branches, nil without any.
	main     convolution
	others   []*kernel.Conv
	identity *affine
	se       *excitation
}

// affine is y = scale*x + shift for each channel, padded to whole blocks.
type affine struct{ scale, shift []float32 }

// excitation is a squeeze-and-excitation layer: two linear layers, as 1x1
// convolutions of a map whose pixels are images.
type excitation struct{ reduce, expand *kernel.Conv }

// input is the layout of the layer's input.
func (l *layer) input(h, w int) kernel.Layout {
	in := kernel.Layout{Channels: l.In, H: h, W: w, Planar: l.planar}
	in.Top, in.Left, in.Bottom, in.Right = l.main.Border(h, w)
	for _, c := range l.others {
		top, left, bottom, right := c.Border(h, w)
		in.Top, in.Left = max(in.Top, top), max(in.Left, left)
		in.Bottom, in.Right = max(in.Bottom, bottom), max(in.Right, right)
	}
	return in
}

func (l *layer) bytes() int {
	n := l.main.Bytes()
	for _, c := range l.others {
		n += c.Bytes()
	}
	if l.se != nil {
		n += l.se.reduce.Bytes() + l.se.expand.Bytes()
	}
	return n
}

// packer reads the values of a plan's tensors.
type packer struct {
	plan       *model.Plan
	weights    tensor.Source
	variant    *kernel.Variant
	algorithms []algorithm // by block
	stream     *stream
}

// read sets the layers and the head of r, and sends their weights.
func (p *packer) read(r *Runner) error {
	for i := range p.plan.Blocks[:p.plan.Depth] {
		l := &layer{Block: &p.plan.Blocks[i]}
		// A planar map has no cells for an identity branch to add to.
		l.planar = i == 0 && l.In < kernel.Lanes && !identities(p.plan.Form, l.Block) && p.algorithms[i] == direct
		if err := p.layer(l, p.algorithms[i]); err != nil {
			return fmt.Errorf("packing block %q: %w", l.Name, err)
		}
		r.layers = append(r.layers, l)
	}
	head := p.plan.HeadTensors()
	if head == nil {
		return nil
	}
	var err error
	r.head, err = p.linear(head[0], head[1])
	if err != nil {
		return fmt.Errorf("packing the head: %w", err)
	}
	return nil
}

func (p *packer) layer(l *layer, a algorithm) error {
	if l.SE != nil && l.Activation != model.ReLU {
		return errors.New("squeeze-and-excitation without a ReLU behind it is not supported")
	}
	var err error
	if p.plan.Form == model.Deploy {
		err = p.folded(l, a)
	} else {
		err = p.branches(l, a)
	}
	if err != nil {
		return err
	}
	specs := l.SETensors()
	if len(specs) == 0 {
		return nil
	}
	l.se = &excitation{}
	if l.se.reduce, err = p.linear(specs[0], specs[1]); err != nil {
		return err
	}
	l.se.expand, err = p.linear(specs[2], specs[3])
	return err
}

func (p *packer) folded(l *layer, a algorithm) error {
	bias, err := tensor.Load(p.weights, l.BiasSpec())
	if err != nil {
		return err
	}
	return p.main(l, a, p.weights, l.WeightSpec(), bias)
}

// main packs the main convolution, whose weight src has.
func (p *packer) main(l *layer, a algorithm, src tensor.Source, weight tensor.Spec, bias []float32) error {
	// What else there is in a layer adds to its output.
	l.rounds = a.m == 0 && p.plan.Form == model.Deploy && l.SE == nil
	c, err := p.convolution(mainConv(p.plan.Form, l.Block), a, l.planar, bias)
	if err != nil {
		return err
	}
	l.main, l.bf16 = c, a == directBF16
	return p.stream.send(c, src, weight)
}

// convolution is one without weights.
func (p *packer) convolution(c model.Conv, a algorithm, planar bool, bias []float32) (convolution, error) {
	switch {
	case a == direct:
		return p.variant.NewConv(c, planar, bias)
	case a == directBF16:
		return p.variant.NewBF16Conv(c, bias)
	case a == winogradBF16:
		return p.variant.NewBF16Winograd(c, bias)
	}
	return p.variant.NewWinograd(c, a.m, bias)
}

// branches packs a train-form block. The convolutions' biases are added up: each
// branch after the main one starts from the sums before it.
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
	if err := p.main(l, a, main, main.WeightSpec(), engine.Narrow(main.Shift)); err != nil {
		return err
	}
	for _, f := range others {
		c, err := p.variant.NewConv(*f.Conv, l.planar, nil)
		if err != nil {
			return err
		}
		l.others = append(l.others, c)
		if err := p.stream.send(c, f, f.WeightSpec()); err != nil {
			return err
		}
	}
	if scale != nil {
		l.identity = &affine{padded(engine.Narrow(scale)), padded(engine.Narrow(shift))}
	}
	return nil
}

func addTo(sum, x []float64) {
	for i, v := range x {
		sum[i] += v
	}
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

// padded fills the last block with zeros.
func padded(x []float32) []float32 {
	y := kernel.AlignedFloats(ceilDiv(len(x), kernel.Lanes) * kernel.Lanes)
	copy(y, x)
	return y
}

// linear packs a linear layer as a 1x1 convolution.
func (p *packer) linear(weight, bias tensor.Spec) (*kernel.Conv, error) {
	b, err := tensor.Load(p.weights, bias)
	if err != nil {
		return nil, err
	}
	c, err := p.variant.NewConv(model.Linear(weight.Shape[1], weight.Shape[0]), false, b)
	if err != nil {
		return nil, err
	}
	return c, p.stream.send(c, p.weights, weight)
}
