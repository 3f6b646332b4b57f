package kernel

import "sort"

// A strip is, for one input channel and one kernel column, the input values
// that consecutive output pixels meet, as one run: at stride 1 the channel's
// rows, shifted by the column and with zeros for what lies outside. The next
// kernel row meets the same values one output row later, so that strips serve
// several kernel rows at an offset, and a patch's element for a vector of
// pixels is a contiguous load, whatever the padding, stride and dilation.

// tapRows are kernel rows that one set of strips serves.
type tapRows struct {
	// row is the input row of output row 0 for the first of them.
	row int
	// taps are the kernel rows; shifts say how many output rows later each
	// meets what the first met.
	taps, shifts []int
}

func (t *tapRows) span() int { return t.shifts[len(t.shifts)-1] }

// tapRows divides the kernel rows, sharing strips where that is possible.
func (s ConvShape) tapRows(share bool) []tapRows {
	var sets []tapRows
next:
	for i := range s.Kernel {
		row := i*s.Dilation - s.Pad
		for at := range sets {
			if t := &sets[at]; share && (row-t.row)%s.Stride == 0 {
				t.taps, t.shifts = append(t.taps, i), append(t.shifts, (row-t.row)/s.Stride)
				continue next
			}
		}
		sets = append(sets, tapRows{row, []int{i}, []int{0}})
	}
	return sets
}

// stripFloats bounds the strips of a tile: half of a common L2 cache, of which
// weights take some of the rest.
const stripFloats = 144 << 10

// stripAlign is what strips' lengths are rounded up to: a cache line.
const stripAlign = 16

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// channelFloats is the size of a channel's strips for a number of pixels.
func (c *Conv) channelFloats(sets []tapRows, pixels, ow int) int {
	n := 0
	for i := range sets {
		n += c.stripLen(&sets[i], pixels, ow)
	}
	return n * c.Kernel
}

// stripLen is the memory of a strip: vectors are read to their end.
func (c *Conv) stripLen(t *tapRows, pixels, ow int) int {
	return roundUp(roundUp(pixels, c.variant.lanes)+t.span()*ow, stripAlign)
}

// layout chooses how to gather a number of pixels. Sharing strips does not pay
// if the rows between kernel rows outweigh the pixels.
func (c *Conv) layout(pixels, ow int) ([]tapRows, int) {
	shared, separate := c.channelFloats(c.shared, pixels, ow), c.channelFloats(c.separate, pixels, ow)
	if shared <= separate {
		return c.shared, shared
	}
	return c.separate, separate
}

// TilePixels is how many output pixels are computed together, the unit in
// which work is divided by pixels, for an input of h x w.
func (c *Conv) TilePixels(h, w int) int {
	oh, ow := c.OutSize(h, w)
	pixels, unit := oh*ow, c.variant.pixels()
	limit := stripFloats / (c.In / c.Groups)
	// As many register tiles as fit, but at least one.
	most := sort.Search(pixels/unit+1, func(i int) bool {
		_, n := c.layout((i+1)*unit, ow)
		return n > limit
	})
	most = max(1, most) * unit
	// Tiles of about the same size.
	tiles := max(1, (pixels+most-1)/most)
	return roundUp((pixels+tiles-1)/tiles, unit)
}

// Scratch is the memory that one goroutine needs to run convolutions.
type Scratch struct {
	strips []float32
	// offsets are where in strips each element of pixel 0's patch lies.
	offsets []int32
	// edge is one register tile.
	edge []float32
}

// Reserve makes the scratch large enough to run c on maps of h x w, so that
// Run need not.
func (s *Scratch) Reserve(c *Conv, h, w int) {
	_, ow := c.OutSize(h, w)
	_, n := c.layout(c.TilePixels(h, w), ow)
	grow(&s.strips, n*(c.In/c.Groups))
	grow(&s.offsets, c.depth())
	grow(&s.edge, c.variant.rows*c.variant.pixels())
}

func grow[T any](s *[]T, n int) {
	if n > len(*s) {
		*s = make([]T, n)
	}
}

// gather fills the strips and offsets of a group's channels for the output
// pixels [p0, p1).
func (c *Conv) gather(s *Scratch, src []float32, h, w, group, p0, p1 int) {
	_, ow := c.OutSize(h, w)
	channels := c.In / c.Groups
	src = src[group*channels*h*w:][:channels*h*w]
	sets, _ := c.layout(p1-p0, ow)
	at := 0
	for channel := range channels {
		plane := src[channel*h*w:][:h*w]
		offsets := s.offsets[channel*c.Kernel*c.Kernel:][:c.Kernel*c.Kernel]
		for i := range sets {
			t := &sets[i]
			n := p1 - p0 + t.span()*ow
			for column := range c.Kernel {
				c.strip(s.strips[at:][:n], plane, h, w, ow, p0, t.row, column*c.Dilation-c.Pad)
				for i, tap := range t.taps {
					offsets[tap*c.Kernel+column] = int32(at + t.shifts[i]*ow)
				}
				at += c.stripLen(t, p1-p0, ow)
			}
		}
	}
}

// strip writes the input values of the output pixels from p on: that of pixel
// (0, 0) is in the given row and column of plane, either of which may lie
// outside, as may those of other pixels.
func (c *Conv) strip(dst, plane []float32, h, w, ow, p, row, column int) {
	block := c.variant.stripBlock(c.Stride)
	if block == nil && c.Stride == 1 && ow == w {
		stripSame(dst, plane, w, p, row, column)
		return
	}
	y, x := p/ow, p%ow
	for len(dst) > 0 {
		n := min(ow-x, len(dst))
		iy := y*c.Stride + row
		switch {
		case iy < 0 || iy >= h:
			clear(dst[:n])
		case block != nil && n == ow:
			// All whole rows at once.
			rows := min(len(dst)/ow, (h-iy+c.Stride-1)/c.Stride)
			c.stripRows(dst, plane, iy, w, ow, rows, column)
			n, y = rows*ow, y+rows-1
		default:
			stripRow(dst[:n], plane[iy*w:][:w], x*c.Stride+column, c.Stride)
		}
		dst = dst[n:]
		y, x = y+1, 0
	}
}

// stripRows is strip for whole rows that are inside, from input row iy on.
func (c *Conv) stripRows(dst, plane []float32, iy, w, ow, rows, column int) {
	block := c.variant.stripBlock(c.Stride)
	// The output columns whose input is inside.
	lo := max(0, (-column+c.Stride-1)/c.Stride)
	hi := max(0, (w-column+c.Stride-1)/c.Stride)
	for x := 0; x < ow; x += 16 {
		load := lowBits(hi-x) &^ lowBits(lo-x)
		block(dst[x:], ow, plane, iy*w+x*c.Stride+column, c.Stride*w, rows, load, lowBits(ow-x))
	}
}

// lowBits is a mask of the lowest n of 16 bits.
func lowBits(n int) uint16 { return uint16(1<<min(max(n, 0), 16) - 1) }

// stripSame is strip for stride 1 and a map as wide as the input: one piece of
// the plane with zeros at its ends and where a row's first or last columns meet
// the neighbouring row.
func stripSame(dst, plane []float32, w, p, row, column int) {
	from := p + row*w + column
	lead := min(max(0, -from), len(dst))
	clear(dst[:lead])
	inside := dst[lead:]
	n := 0
	if len(inside) > 0 && from+lead < len(plane) {
		n = copy(inside, plane[from+lead:])
	}
	clear(inside[n:])
	if column == 0 {
		return
	}
	// In each row, the columns [x0, x1) meet what is outside.
	x0, x1 := max(0, w-column), w
	if column < 0 {
		x0, x1 = 0, min(-column, w)
	}
	for start := -(p % w); start < len(dst); start += w {
		for i := max(0, start+x0); i < min(start+x1, len(dst)); i++ {
			dst[i] = 0
		}
	}
}

// stripRow writes src[x], src[x+stride], ..., with zeros for what lies outside.
func stripRow(dst, src []float32, x, stride int) {
	for len(dst) > 0 && x < 0 {
		dst[0] = 0
		dst = dst[1:]
		x += stride
	}
	inside := 0
	if x < len(src) {
		inside = min(len(dst), (len(src)-x+stride-1)/stride)
	}
	clear(dst[inside:])
	if inside == 0 {
		return
	}
	dst = dst[:inside]
	switch stride {
	case 1:
		copy(dst, src[x:])
	case 2:
		src = src[x:]
		for i := range dst {
			dst[i] = src[2*i]
		}
	default:
		for i := range dst {
			dst[i] = src[x]
			x += stride
		}
	}
}
