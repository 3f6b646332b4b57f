package cpu

import (
	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
)

// layer is a block with its packed weights. It is computed in this order: the main
// convolution, the others, the identity, squeeze-and-excitation; each but the
// first changes what those before it wrote.
type layer struct {
	*model.Block
	// in is the format in which main takes the input. The others and the identity
	// take it as it comes, in Float32.
	in kernel.Format
	// main is the deploy form's only convolution, or the train form's branch with
	// the largest kernel; others are the train form's other convolutions, which add
	// to main's sums.
	main   convolution
	others []convolution
	// identity is the sum of the train form's identity branches; nil without any.
	identity *affine
	se       *excitation // nil without one
	// rounds is whether main can write the layer's output in any element type: it is
	// direct, and all there is.
	rounds bool
}

// convolution is packed weights, and what becomes of their sums.
type convolution struct {
	packed
	epilogue kernel.Epilogue
}

// packed is a kernel.Conv or a kernel.Winograd.
type packed interface {
	Run(dst, src *kernel.Maps, n int, ep kernel.Epilogue, share kernel.Share)
	Halo(h, w int) kernel.Halo
	Panels() int
	Pieces() int
	Populate(piece int)
	Pack(panel int, rows []float32)
	Release()
	Bytes() int
	Algorithm() string
}

// affine is y = scale*x + shift for each channel, of kernel.PadChannels.
type affine struct {
	scale, shift []float32
	relu         bool
}

// excitation is a squeeze-and-excitation layer: two linear layers, as 1x1
// convolutions of a map whose pixels are images.
type excitation struct {
	reduce, expand convolution
	relu           bool
}

// activate gives the block's ReLU to what is computed last.
func (l *layer) activate() {
	switch {
	case l.Activation != model.ReLU:
	case l.se != nil:
		l.se.relu = true
	case l.identity != nil:
		l.identity.relu = true
	case len(l.others) > 0:
		l.others[len(l.others)-1].epilogue.ReLU = true
	default:
		l.main.epilogue.ReLU = true
	}
}

// input is the layout of the layer's input, before main's element type.
func (l *layer) input(h, w int) kernel.Layout {
	halo := l.main.Halo(h, w)
	for _, c := range l.others {
		halo = halo.Max(c.Halo(h, w))
	}
	return kernel.Layout{Channels: l.In, H: h, W: w, Halo: halo, Format: kernel.Format{Planar: l.in.Planar}}
}

// output is the element type in which the layer writes its output: what the next
// one's main convolution takes, if nobody needs it in Float32 on the way.
func (l *layer) output(next *layer) kernel.Elem {
	if l.rounds && len(next.others) == 0 && next.identity == nil {
		return next.in.Elem
	}
	return kernel.Float32
}

// bytes is the memory of the packed weights.
func (l *layer) bytes() int {
	n := l.main.bytes()
	for _, c := range l.others {
		n += c.bytes()
	}
	if l.se != nil {
		n += l.se.reduce.bytes() + l.se.expand.bytes()
	}
	return n
}

func (c *convolution) bytes() int { return c.Bytes() + len(c.epilogue.Bias)*4 }
