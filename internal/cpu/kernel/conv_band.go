package kernel

// This file computes a band of a direct convolution: in vector registers into a
// Float32 output, by way of sums in memory into any other, or in AMX's tiles.

// fetchAhead is the size of weights up to which the next ones are fetched ahead:
// the second-level cache has room for both.
const fetchAhead = 256 << 10

// operands are what the inner loop takes for all of a band.
type operands struct {
	offsets    []int // of the segments
	weights    *byte
	panelBytes int // from a panel's weights to the next one's
	pixelBytes int // from an output's input to its neighbour's
}

func (c *convCall) operands(b band) operands {
	return operands{
		offsets:    c.offsets[:b.blocks*c.segments],
		weights:    &c.panel(b.run, b.panel)[0],
		panelBytes: b.blocks * c.unitBytes(),
		pixelBytes: c.Stride * c.in.cellBytes(),
	}
}

// input is the cell of the first tap of an output's pixel, in a band's first
// block.
func (c *convCall) input(b band, y, x int) *byte {
	return c.src.cell(b.image, b.block0, y*c.Stride-c.PadH, x*c.Stride-c.PadW)
}

// bandInPlace starts from the bias or the output, and writes results only.
func (c *convCall) bandInPlace(b band) {
	o, t := c.operands(b), c.variant.registerTiles(c.dst.W, b.panels)
	ahead := o.weights
	if next := b.panel + b.panels; b.panels*o.panelBytes < fetchAhead && next < b.panel1 {
		ahead = &c.panel(b.run, next)[0]
	}
	add, relu := c.ep.flags()
	// compute fills so many register tiles, each of some pixels, from the pixel y, x on.
	compute := func(rows, y, x, aNext, cNext, times int) {
		c.gemm[b.panels-1][rows-1](c.input(b, y, x), o.pixelBytes, aNext, &o.offsets[0], len(o.offsets), c.length, o.weights, o.panelBytes, ahead,
			c.dst.floats(b.image, b.panel, y, x), cellBytes, c.dst.blockBytes(), cNext, c.ep.bias(b.panel), add, relu, times)
	}
	if t.large+t.small == 1 {
		// One register tile a row: all rows in one call.
		compute(t.rows, b.row0, 0, c.Stride*c.src.rowBytes(), c.dst.rowBytes(), b.row1-b.row0)
		return
	}
	for y := b.row0; y < b.row1; y++ {
		if t.large > 0 {
			compute(t.rows+1, y, 0, (t.rows+1)*o.pixelBytes, (t.rows+1)*cellBytes, t.large)
		}
		compute(t.rows, y, t.large*(t.rows+1), t.rows*o.pixelBytes, t.rows*cellBytes, t.small)
	}
}

// bandOfSums keeps the sums of a row of pixels, whose panels are side by side,
// until the epilogue.
func (c *convCall) bandOfSums(b band) {
	o, t := c.operands(b), c.variant.registerTiles(c.dst.W, b.panels)
	width := b.panels * Lanes
	sums := grow(&c.scratch.rows, c.dst.W*width)
	for y := b.row0; y < b.row1; y++ {
		compute := func(rows, x, times int) {
			if times > 0 {
				c.gemm[b.panels-1][rows-1](c.input(b, y, x), o.pixelBytes, rows*o.pixelBytes, &o.offsets[0], len(o.offsets), c.length, o.weights, o.panelBytes, o.weights,
					&sums[x*width], width*wordBytes, cellBytes, rows*width*wordBytes, nil, 0, 0, times)
			}
		}
		compute(t.rows+1, 0, t.large)
		compute(t.rows, t.large*(t.rows+1), t.small)
		c.epilogue(b, strip{y, 0, c.dst.W}, sums)
	}
}

// strip is some neighbouring pixels of a row of the output.
type strip struct{ y, x, pixels int }

// epilogue writes the results of a strip from its sums.
func (c *convCall) epilogue(b band, s strip, sums []float32) {
	write := c.variant.epilogue[c.dst.Elem]
	_, relu := c.ep.flags()
	for p := range b.panels {
		write(c.dst.panel(b.image, b.panel+p, s.y, s.x), &sums[p*Lanes], b.panels*cellBytes, c.ep.bias(b.panel+p), relu, s.pixels)
	}
}

// AMX has tiles of 16 rows; its kernel keeps sums of two times two of them.
const (
	amxRows   = 16
	amxPanels = 2
)

// useAMX reports whether the convolution is computed in AMX's tiles.
func (c *Conv) useAMX() bool { return c.in.Elem == BFloat16 && c.variant.amx != nil }

// bandAMX computes two strips at once, of the same row or not.
func (c *convCall) bandAMX(b band) {
	o := c.operands(b)
	wide := ceilDiv(c.dst.W, amxRows) // strips in a row
	at := func(i int) strip {
		x, end := i%wide*c.dst.W/wide, (i%wide+1)*c.dst.W/wide
		return strip{b.row0 + i/wide, x, end - x}
	}
	input := func(s strip) int { return c.src.at(b.block0, s.y*c.Stride-c.PadH, s.x*c.Stride-c.PadW) }
	width := b.panels * Lanes
	sums := grow(&c.scratch.rows, 2*amxRows*width)
	for i, count := 0, (b.row1-b.row0)*wide; i < count; i += 2 {
		first, second := at(i), strip{}
		aSecond := 0
		if i+1 < count {
			second = at(i + 1)
			aSecond = input(second) - input(first)
		}
		c.variant.amx(c.input(b, first.y, first.x), o.pixelBytes, aSecond, &o.offsets[0], len(o.offsets), o.weights, o.panelBytes,
			&sums[0], width*wordBytes, amxRows*width*wordBytes, first.pixels, second.pixels, b.panels)
		c.epilogue(b, first, sums)
		if second.pixels > 0 {
			c.epilogue(b, second, sums[amxRows*width:])
		}
	}
}
