package kernel

import (
	"unsafe"
)

// Lanes is the words of a cell, and the output channels of a panel.
const Lanes = 16

const (
	wordBytes = 4
	cellBytes = Lanes * wordBytes
)

// Format is what the cells of a map hold.
type Format struct {
	// Elem is the type of a channel's value.
	Elem Elem
	// Planar cells hold one channel, of type Float32: so images come, channel by
	// channel. Others hold 16 words of channels.
	Planar bool
}

// words of a cell.
func (f Format) words() int {
	if f.Planar {
		return 1
	}
	return Lanes
}

// cellBytes is the size of a cell.
func (f Format) cellBytes() int { return f.words() * wordBytes }

// channels of a cell, and of a block.
func (f Format) channels() int { return f.words() * f.Elem.perWord() }

// Halo is the cells around the pixels of a map that kernels reach into. They are
// zero.
type Halo struct{ Top, Left, Bottom, Right int }

// Max is the least halo that has room for both.
func (h Halo) Max(o Halo) Halo {
	return Halo{max(h.Top, o.Top), max(h.Left, o.Left), max(h.Bottom, o.Bottom), max(h.Right, o.Right)}
}

// Layout is how a feature map lies in memory: block by block, each of them rows
// of cells, as drawn in the package's comment. Channels beyond the last one are
// zero.
type Layout struct {
	Channels, H, W int
	Halo
	Format
}

// Blocks is the number of blocks of channels.
func (l *Layout) Blocks() int { return ceilDiv(l.Channels, l.channels()) }

// rowBytes leads from a row of cells to the next one, blockBytes from a block.
func (l *Layout) rowBytes() int   { return (l.Left + l.W + l.Right) * l.cellBytes() }
func (l *Layout) blockBytes() int { return (l.Top + l.H + l.Bottom) * l.rowBytes() }

// Bytes is the size of one map.
func (l *Layout) Bytes() int { return l.Blocks() * l.blockBytes() }

// at is the first byte of a cell; y and x may be in the halo.
func (l *Layout) at(block, y, x int) int {
	return block*l.blockBytes() + (y+l.Top)*l.rowBytes() + (x+l.Left)*l.cellBytes()
}

// Maps are the feature maps of some images, one after the other.
type Maps struct {
	Layout
	data []byte
}

// NewMaps are the maps of n images, all zero.
func NewMaps(l Layout, n int) Maps { return Maps{l, alignedBytes(n * l.Bytes())} }

// From is the maps from image i on.
func (m *Maps) From(i int) Maps { return Maps{m.Layout, m.data[i*m.Bytes():]} }

// Row is row y of a block of image i, without the halo. The maps must be Float32.
func (m *Maps) Row(i, block, y int) []float32 {
	return floats(m.data[i*m.Bytes()+m.at(block, y, 0):][:m.W*m.cellBytes()])
}

// cell is the address of a cell.
func (m *Maps) cell(i, block, y, x int) *byte { return &m.data[i*m.Bytes()+m.at(block, y, x)] }

// panel is the address of the 16 channels of a panel in a cell; half a cell for
// BFloat16.
func (m *Maps) panel(i, panel, y, x int) *byte {
	perCell := m.Elem.perWord()
	return &m.data[i*m.Bytes()+m.at(panel/perCell, y, x)+panel%perCell*Lanes*m.Elem.Size()]
}

// floats is the address of a cell of Float32.
func (m *Maps) floats(i, block, y, x int) *float32 {
	return (*float32)(unsafe.Pointer(m.cell(i, block, y, x)))
}

// Load brings n images into the layout. src holds them as n, Channels, H, W.
func (m *Maps) Load(src []float32, n int) {
	m.each(n, func(cells []byte, channel, from int) {
		values := src[from:][:m.W]
		if m.Planar {
			copy(floats(cells), values)
			return
		}
		step := m.channels()
		for x, v := range values {
			m.Elem.put(cells, x*step+channel, v)
		}
	})
}

// Store takes n images out of the layout: dst holds them as Load's src.
func (m *Maps) Store(dst []float32, n int) {
	m.each(n, func(cells []byte, channel, from int) {
		step := m.channels()
		for x := range m.W {
			dst[from+x] = m.Elem.get(cells, x*step+channel)
		}
	})
}

// each calls f for each row of each channel of n images, with the row's cells,
// the place of the channel in a cell, and the row's place in n, Channels, H, W.
func (m *Maps) each(n int, f func(cells []byte, channel, from int)) {
	perCell := m.channels()
	for i := range n {
		for c := range m.Channels {
			for y := range m.H {
				cells := m.data[i*m.Bytes()+m.at(c/perCell, y, 0):][:m.W*m.cellBytes()]
				f(cells, c%perCell, ((i*m.Channels+c)*m.H+y)*m.W)
			}
		}
	}
}

// PadChannels is a copy of a value for each channel, with zeros up to whole
// panels.
func PadChannels(x []float32) []float32 {
	y := alignedFloats(ceilDiv(len(x), Lanes) * Lanes)
	copy(y, x)
	return y
}

// alignedBytes allocates n zeros at the start of a cache line, so that no cell
// lies in two.
func alignedBytes(n int) []byte {
	s := make([]byte, n+cellBytes-1)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s))) & (cellBytes - 1))
	return s[skip:][:n:n]
}

// alignedFloats is alignedBytes for n values.
func alignedFloats(n int) []float32 { return floats(alignedBytes(n * wordBytes)) }

// floats are bytes as the float32 values that they are.
func floats(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/wordBytes)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
