package preprocess

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"io"
)

// decodeWith runs a decoder of the standard library's kind after its header
// was found to be within bounds.
func decodeWith(data []byte, config func(io.Reader) (image.Config, error), decode func(io.Reader) (image.Image, error)) (*Image, error) {
	c, err := config(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if err := checkSize(c.Width, c.Height); err != nil {
		return nil, err
	}
	m, err := decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return fromStd(m)
}

// fromStd copies the colour samples of a decoded image as they are stored. It
// never asks for color.RGBA values: those are premultiplied by alpha, while
// OpenCV drops alpha and keeps the samples.
func fromStd(m image.Image) (*Image, error) {
	b := m.Bounds()
	out, err := NewImage(b.Dx(), b.Dy())
	if err != nil {
		return nil, err
	}
	// rows calls f with each row of the result and of the source, whose
	// pixels take size bytes.
	rows := func(pix []byte, stride, size int, f func(dst, src []byte)) {
		for y := range out.Height {
			f(out.row(y), pix[y*stride:][:out.Width*size])
		}
	}
	switch m := m.(type) {
	case *image.Gray:
		rows(m.Pix, m.Stride, 1, func(dst, src []byte) { pick(dst, src, 1, 0) })
	case *image.Gray16:
		rows(m.Pix, m.Stride, 2, func(dst, src []byte) { pick(dst, src, 2, 0) })
	case *image.RGBA:
		rows(m.Pix, m.Stride, 4, func(dst, src []byte) { pick(dst, src, 4, 1) })
	case *image.NRGBA:
		rows(m.Pix, m.Stride, 4, func(dst, src []byte) { pick(dst, src, 4, 1) })
	case *image.RGBA64:
		rows(m.Pix, m.Stride, 8, func(dst, src []byte) { pick(dst, src, 8, 2) })
	case *image.NRGBA64:
		rows(m.Pix, m.Stride, 8, func(dst, src []byte) { pick(dst, src, 8, 2) })
	case *image.Paletted:
		table := paletteTable(m.Palette)
		rows(m.Pix, m.Stride, 1, func(dst, src []byte) {
			for x, v := range src {
				copy(dst[3*x:3*x+3], table[v][:])
			}
		})
	default:
		return nil, fmt.Errorf("unsupported pixel format %T", m)
	}
	return out, nil
}

// pick copies three bytes of each source pixel of the given size: its first one,
// and those step and 2*step after it. For samples of 16 bits, big-endian, these
// are the high bytes: libpng's strip_16.
func pick(dst, src []byte, size, step int) {
	for i := 0; i+2 < len(dst) && size <= len(src); i += 3 {
		dst[i], dst[i+1], dst[i+2] = src[0], src[step], src[2*step]
		src = src[size:]
	}
}

// paletteTable lists the stored colours of a palette; indices beyond it are black.
func paletteTable(p color.Palette) *[256][3]byte {
	var table [256][3]byte
	for i, c := range p[:min(len(p), 256)] {
		switch c := c.(type) {
		case color.NRGBA:
			table[i] = [3]byte{c.R, c.G, c.B}
		case color.RGBA:
			table[i] = [3]byte{c.R, c.G, c.B}
		default:
			r, g, b, _ := c.RGBA()
			table[i] = [3]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)}
		}
	}
	return &table
}
