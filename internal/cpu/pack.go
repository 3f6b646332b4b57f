package cpu

import (
	"fmt"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// convolution is a kernel.Conv or a kernel.Winograd.
type convolution interface {
	Run(dst, src *kernel.Maps, n, share, shares int, ep kernel.Epilogue, scratch *kernel.Scratch)
	Border(h, w int) (top, left, bottom, right int)
	Panels() int
	Pack(panel int, weight []float32)
	Bytes() int
	Algorithm() string
}

// layer is a block with its packed weights.
type layer struct {
	*model.Block
	// planar is whether the input is: that of the first layer, which has few
	// channels.
	planar bool
	// bf16 is whether conv3x3 takes its input as bfloat16; rounds whether it can
	// give the layer's output so, if the next layer wants that.
	bf16, rounds bool
	// conv3x3 is the deploy form's only convolution, or the train form's 3x3
	// branch; conv1x1 and identity are nil where the block has no such branch.
	conv3x3  convolution
	conv1x1  *kernel.Conv
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
	in.Top, in.Left, in.Bottom, in.Right = l.conv3x3.Border(h, w)
	return in
}

func (l *layer) bytes() int {
	n := l.conv3x3.Bytes()
	if l.conv1x1 != nil {
		n += l.conv1x1.Bytes()
	}
	if l.se != nil {
		n += l.se.reduce.Bytes() + l.se.expand.Bytes()
	}
	return n
}

// packer reads the values of a plan's tensors.
type packer struct {
	plan       *model.Plan
	weights    Weights
	variant    *kernel.Variant
	pool       *pool
	algorithms []int // by block
}

// pack sets the layers and the head of r.
func (p *packer) pack(r *Runner) error {
	for i := range p.plan.Blocks[:p.plan.Depth] {
		l := &layer{Block: &p.plan.Blocks[i]}
		// A planar map has no cells for an identity branch to add to.
		l.planar = i == 0 && l.In < kernel.Lanes && !l.Identity && p.algorithms[i] == direct
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

func (p *packer) layer(l *layer, algorithm int) error {
	var err error
	if p.plan.Form == model.Deploy {
		weight, bias := l.Fused()
		err = p.fused(l, algorithm, weight, bias)
	} else {
		err = p.branches(l, algorithm)
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

func (p *packer) fused(l *layer, algorithm int, weight, bias string) error {
	shape := conv3x3(l.Block)
	w, err := p.values(weightSpec(weight, shape))
	if err != nil {
		return err
	}
	b, err := p.values(tensor.Spec{Name: bias, Shape: []int{l.Out}})
	if err != nil {
		return err
	}
	return p.main(l, algorithm, w, b)
}

// main packs the 3x3 convolution.
func (p *packer) main(l *layer, algorithm int, weight, bias []float32) error {
	shape := conv3x3(l.Block)
	// What else there is in a layer adds to its output.
	l.rounds = algorithm <= direct && algorithm != winogradBF16 && p.plan.Form == model.Deploy && l.Squeeze == 0
	c, err := p.convolution(shape, algorithm, l.planar, bias)
	if err != nil {
		return err
	}
	p.setWeights(c, weight)
	l.conv3x3, l.bf16 = c, algorithm == directBF16
	return nil
}

// convolution is one without weights.
func (p *packer) convolution(s kernel.ConvShape, algorithm int, planar bool, bias []float32) (convolution, error) {
	switch algorithm {
	case direct:
		return p.variant.NewConv(s, planar, bias)
	case directBF16:
		return p.variant.NewBF16Conv(s, bias)
	case winogradBF16:
		return p.variant.NewBF16Winograd(s, bias)
	}
	return p.variant.NewWinograd(s, algorithm, bias)
}

// setWeights packs the panels on all workers.
func (p *packer) setWeights(c convolution, weight []float32) {
	p.pool.run(c.Panels(), func(_, panel int) { c.Pack(panel, weight) })
}

// branches packs a train-form block. The two convolutions' biases are added up:
// the second branch starts from the first one's sums.
func (p *packer) branches(l *layer, algorithm int) error {
	weight, shift, err := l.ConvNorm(l.Conv3x3(), 3, p.values)
	if err != nil {
		return err
	}
	weight1, shift1, err := l.ConvNorm(l.Conv1x1(), 1, p.values)
	if err != nil {
		return err
	}
	for c := range shift {
		shift[c] += shift1[c]
	}
	if err := p.main(l, algorithm, weight, narrow(shift)); err != nil {
		return err
	}
	if l.conv1x1, err = p.variant.NewConv(conv1x1(l.Block), l.planar, nil); err != nil {
		return err
	}
	p.setWeights(l.conv1x1, weight1)
	if !l.Identity {
		return nil
	}
	scale, shift, err := l.Norm(l.IdentityNorm(), p.values)
	l.identity = &affine{padded(narrow(scale)), padded(narrow(shift))}
	return err
}

// padded fills the last block with zeros.
func padded(x []float32) []float32 {
	y := kernel.AlignedFloats(ceilDiv(len(x), kernel.Lanes) * kernel.Lanes)
	copy(y, x)
	return y
}

// linear packs a linear layer as a 1x1 convolution.
func (p *packer) linear(weight, bias tensor.Spec) (*kernel.Conv, error) {
	w, err := p.values(weight)
	if err != nil {
		return nil, err
	}
	b, err := p.values(bias)
	if err != nil {
		return nil, err
	}
	c, err := p.variant.NewConv(kernel.ConvShape{In: weight.Shape[1], Out: weight.Shape[0], Kernel: 1, Stride: 1, Dilation: 1, Groups: 1}, false, b)
	if err != nil {
		return nil, err
	}
	p.setWeights(c, w)
	return c, nil
}

// values are those of a tensor; they are not to be changed.
func (p *packer) values(spec tensor.Spec) ([]float32, error) {
	v, err := p.weights(spec)
	if err != nil {
		return nil, err
	}
	if len(v) != spec.Numel() {
		return nil, fmt.Errorf("tensor %q: want the %d values of %s, got %d", spec.Name, spec.Numel(), tensor.FormatShape(spec.Shape), len(v))
	}
	return v, nil
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
