package kernel

// A convolution is computed as a product of matrices, weights times patches,
// without ever storing all patches (implicit GEMM): a tile of output pixels at
// a time has its patches gathered into a small buffer and multiplied with all
// asked-for panels of weights. See Chellapilla, Puri and Simard (2006) for
// convolution as a product, Goto and van de Geijn (2008) for the packing.
//
// microKernel is the whole inner loop, and mr and nr the shape of its
// registers; another implementation replaces these three.

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
	tile := c.TilePixels()
	for p0 := part.Pixel0; p0 < part.Pixel1; p0 += tile {
		p1 := min(p0+tile, part.Pixel1)
		for panel := part.Panel0; panel < part.Panel1; {
			group := panel / c.panels
			end := min((group+1)*c.panels, part.Panel1)
			c.gather(s.patches, src, h, w, group, p0, p1)
			for ; panel < end; panel++ {
				c.multiply(dst, s.patches, h, w, panel, p0, p1, e)
			}
		}
	}
}

// multiply computes the pixels [p0, p1) of a panel of output channels.
func (c *Conv) multiply(dst []float32, patches [][nr]float32, h, w, panel, p0, p1 int, e Epilogue) {
	oh, ow := c.OutSize(h, w)
	pixels, depth := oh*ow, c.depth()
	weights, bias := c.panel(panel), &c.bias[panel]
	ch0, ch1 := c.Channels(panel, panel+1)
	for p := p0; p < p1; p += nr {
		var acc [mr][nr]float32
		microKernel(&acc, weights, patches[(p-p0)/nr*depth:][:depth])
		n := min(nr, p1-p)
		for i := range ch1 - ch0 {
			at := (ch0+i)*pixels + p
			row := dst[at : at+n]
			var add []float32
			if e.Add != nil {
				add = e.Add[at : at+n]
			}
			for j := range row {
				v := acc[i][j] + bias[i]
				if add != nil {
					v += add[j]
				}
				if e.ReLU {
					v = max(v, 0)
				}
				row[j] = v
			}
		}
	}
}
