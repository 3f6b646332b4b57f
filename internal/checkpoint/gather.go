package checkpoint

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"repvgg/internal/tensor"
)

// axis is a dimension of a strided view: n elements that lie stride apart in the
// storage and step apart in the destination.
type axis struct{ n, stride, step int }

// axesOf gives the dimensions of a view, the one with the largest stride first:
// in this order the storage is read from its beginning to its end, whatever the
// order of the dimensions.
func axesOf(v tensor.View) []axis {
	var axes []axis
	for i, step := range tensor.Strides(v.Shape) {
		if v.Shape[i] > 1 {
			axes = append(axes, axis{v.Shape[i], v.Strides[i], step})
		}
	}
	slices.SortStableFunc(axes, func(a, b axis) int { return cmp.Compare(b.stride, a.stride) })
	return axes
}

// span is the number of elements from the first to the last, both included.
func span(axes []axis) int {
	n := 1
	for _, a := range axes {
		n += (a.n - 1) * a.stride
	}
	return n
}

// overlap tells whether elements lie in one place or between those of another
// row, as in no tensor that was made for its values. A stride of 0, of an
// expanded tensor, is none.
func overlap(axes []axis) bool {
	for i, a := range axes {
		if a.stride > 0 && a.stride < span(axes[i+1:]) {
			return true
		}
	}
	return false
}

// maxSpan is how many bytes are read at once of a tensor whose elements overlap.
const maxSpan = 8 << 20

// gatherer picks the elements of a view out of what it reads.
type gatherer struct {
	t   *Tensor
	dst []float32
	buf *[]byte
}

// read fills dst from its element to on with the elements of the axes, of which
// the first lies at offset.
func (g *gatherer) read(to, offset int, axes []axis) error {
	size, all := g.t.DType.Size(), span(axes)
	switch {
	case all*size <= len(*g.buf):
		return g.gather(to, offset, axes)
	case overlap(axes):
		if all > maxSpan/size {
			return errors.New("its elements overlap in the file; save tensor.contiguous() instead")
		}
		*g.buf = make([]byte, maxSpan) // once: to split it would read the same bytes again and again
		return g.gather(to, offset, axes)
	}
	// As many along the first axis as go into the buffer, or one after the other.
	first, rest := axes[0], axes[1:]
	per := max(1, 1+(len(*g.buf)/size-span(rest))/first.stride)
	for i := 0; i < first.n; i += per {
		part := rest
		if n := min(per, first.n-i); n > 1 {
			part = slices.Concat([]axis{{n, first.stride, first.step}}, rest)
		}
		if err := g.read(to+i*first.step, offset+i*first.stride, part); err != nil {
			return err
		}
	}
	return nil
}

// gather reads everything from the first to the last element at once.
func (g *gatherer) gather(to, offset int, axes []axis) error {
	b := (*g.buf)[:span(axes)*g.t.DType.Size()]
	if err := g.t.readAt(b, offset); err != nil {
		return err
	}
	g.pick(to, 0, b, axes)
	return nil
}

// pick puts the elements in their places, the first of which is number at in b.
func (g *gatherer) pick(to, at int, b []byte, axes []axis) {
	switch {
	case len(axes) == 0:
		widen(g.dst[to:to+1], b[at*g.t.DType.Size():], g.t.DType)
	case len(axes) == 1 && g.t.DType == tensor.Float32:
		a := axes[0]
		for range a.n {
			g.dst[to] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*at:]))
			to += a.step
			at += a.stride
		}
	default:
		for i := range axes[0].n {
			g.pick(to+i*axes[0].step, at+i*axes[0].stride, b, axes[1:])
		}
	}
}
