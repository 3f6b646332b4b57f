package kernel

// A convolution is computed as a product of matrices, weights times patches,
// without ever storing all patches (implicit GEMM): a tile of output pixels at
// a time has its input gathered into strips, from which a patch's elements for
// consecutive pixels are read as vectors, and is multiplied with all asked-for
// panels of weights. See Chellapilla, Puri and Simard (2006) for convolution as
// a product, Goto and van de Geijn (2008) for the packing.

// Part selects what of an output map to compute: pixels, counted row by row,
// and panels of output channels, both as half-open ranges.
type Part struct {
	Pixel0, Pixel1 int
	Panel0, Panel1 int
}

// Epilogue is what follows the convolution before its result is stored.
type Epilogue struct {
	// Add is a map of the output's shape that is added, or nil. It may be the
	// output itself.
	Add []float32
	// ReLU replaces negative values by zero and keeps NaN.
	ReLU bool
}

// Run computes a part of dst (Out, OutSize(h, w)) from src (In, h, w) and
// writes nothing else of dst. The sum for an output runs over input channel,
// kernel row, kernel column in this order, then adds the bias, then e.Add.
func (c *Conv) Run(dst, src []float32, h, w int, part Part, e Epilogue, s *Scratch) {
	s.Reserve(c, h, w)
	tile := c.TilePixels(h, w)
	for p0 := part.Pixel0; p0 < part.Pixel1; p0 += tile {
		p1 := min(p0+tile, part.Pixel1)
		for panel := part.Panel0; panel < part.Panel1; {
			group := panel / c.panels
			end := min((group+1)*c.panels, part.Panel1)
			c.gather(s, src, h, w, group, p0, p1)
			for ; panel < end; panel++ {
				c.multiply(dst, h, w, panel, p0, p1, e, s)
			}
		}
	}
}

// multiply computes the pixels [p0, p1) of a panel of output channels.
func (c *Conv) multiply(dst []float32, h, w, panel, p0, p1 int, e Epilogue, s *Scratch) {
	oh, ow := c.OutSize(h, w)
	stride, lanes := oh*ow, c.variant.lanes
	weights, bias, offsets := c.panel(panel), c.bias[panel*c.variant.rows:][:c.variant.rows], s.offsets[:c.depth()]
	ch0, ch1 := c.Channels(panel, panel+1)
	for p := p0; p < p1; p += c.variant.pixels() {
		vectors := min((p1-p+lanes-1)/lanes, len(c.variant.gemm))
		n := min(vectors*lanes, p1-p)
		gemm, strips := c.variant.gemm[vectors-1], s.strips[p-p0:]
		from, to := ch0*stride+p, (ch1-1)*stride+p+n
		var add []float32
		if e.Add != nil {
			add = e.Add[from:to]
		}
		if n == vectors*lanes && ch1-ch0 == c.variant.rows {
			gemm(dst[from:to], stride, add, weights, bias, strips, offsets, e.ReLU)
			continue
		}
		// A tile that the map does not fill goes through memory of its own.
		width := vectors * lanes
		edge := s.edge[:c.variant.rows*width]
		if add != nil {
			for i := range ch1 - ch0 {
				copy(edge[i*width:][:n], add[i*stride:])
			}
			add = edge
		}
		gemm(edge, width, add, weights, bias, strips, offsets, e.ReLU)
		for i := range ch1 - ch0 {
			copy(dst[from+i*stride:][:n], edge[i*width:])
		}
	}
}
