package cpu

import "repvgg/internal/cpu/kernel"

// step is one computation of a layer, which workers can share: what it takes, and
// the function that computes a share of it. Shares of those that go through maps
// block by block are the blocks of one image after the other.
type step struct {
	do       func(s *step, share kernel.Share)
	variant  *kernel.Variant
	dst, src kernel.Maps
	n        int          // images
	conv     *convolution // of convolve
	identity *affine      // of addIdentity
	relu     bool         // of gate
}

// convolve writes what a convolution makes of src to dst, or adds it.
func (e *executor) convolve(c *convolution, dst, src kernel.Maps, n int) {
	e.compute(e.workers(), step{do: convolve, dst: dst, src: src, n: n, conv: c})
}

func convolve(s *step, share kernel.Share) {
	s.conv.Run(&s.dst, &s.src, s.n, s.conv.epilogue, share)
}

// narrow rounds src to dst's element type.
func (e *executor) narrow(dst, src kernel.Maps, n int) {
	e.compute(n*dst.Blocks(), step{do: narrow, variant: e.r.variant, dst: dst, src: src})
}

func narrow(s *step, share kernel.Share) {
	image, block := imageAndBlock(&s.dst, share)
	s.variant.Narrow(&s.dst, &s.src, image, block)
}

// addIdentity adds the identity branch.
func (e *executor) addIdentity(identity *affine, dst, src kernel.Maps, n int) {
	e.compute(n*dst.Blocks(), step{do: addIdentity, variant: e.r.variant, dst: dst, src: src, identity: identity})
}

func addIdentity(s *step, share kernel.Share) {
	image, block := imageAndBlock(&s.dst, share)
	id, c := s.identity, block*kernel.Lanes
	for y := range s.dst.H {
		s.variant.AddScaled(s.dst.Row(image, block, y), s.src.Row(image, block, y), id.scale[c:], id.shift[c:], id.relu)
	}
}

// average pools src: each image becomes a pixel of dst.
func (e *executor) average(dst, src kernel.Maps, n int) {
	e.compute(n*src.Blocks(), step{do: average, variant: e.r.variant, dst: dst, src: src})
}

func average(s *step, share kernel.Share) {
	image, block := imageAndBlock(&s.src, share)
	s.variant.GlobalAvgPool(pixel(&s.dst, image, block), &s.src, image, block, share.Scratch)
}

// gate scales the channels of dst by factors, of which each image has a pixel.
func (e *executor) gate(dst, factors kernel.Maps, n int, relu bool) {
	e.compute(n*dst.Blocks(), step{do: gate, variant: e.r.variant, dst: dst, src: factors, relu: relu})
}

func gate(s *step, share kernel.Share) {
	image, block := imageAndBlock(&s.dst, share)
	scale := pixel(&s.src, image, block)
	for y := range s.dst.H {
		s.variant.Gate(s.dst.Row(image, block, y), scale, s.relu)
	}
}

// imageAndBlock is what a share is that is one block of one image of m.
func imageAndBlock(m *kernel.Maps, share kernel.Share) (image, block int) {
	return share.I / m.Blocks(), share.I % m.Blocks()
}

// pixel is a block of the pixel x of a map of one row.
func pixel(m *kernel.Maps, x, block int) []float32 {
	return m.Row(0, block, 0)[x*kernel.Lanes:][:kernel.Lanes]
}
