package kernel

import (
	"fmt"

	"repvgg/internal/cpu/winograd"
	"repvgg/internal/model"
)

// Winograd is a 3x3 convolution of stride 1 by F(m, 3) nested with itself: for
// each of N x N products, the transformed inputs of many tiles are multiplied
// with a matrix of transformed weights. It is read-only once its weights are set.
type Winograd struct {
	shape
	variant *Variant
	f       *winograd.Matrices
	t       transforms
	gemm    [][]gemmFunc
	bf16    bool
	words   int // of 16 channels of a tile's input or of the weights
	runs    []run
	// weights holds for each product, for each panel of 16 output channels, for
	// each of its input channels 16 weights; for bf16, for each pair of channels.
	memory
	product int // values of one product's weights
	bias    []float32
}

// CanWinograd reports whether NewWinograd takes a shape.
func CanWinograd(s model.Conv) bool {
	return s.KernelH == winograd.Taps && s.KernelW == winograd.Taps && s.Stride == 1 && s.Dilation == 1 && s.PadH == 1 && s.PadW == 1
}

// NewWinograd prepares a convolution by F(m, 3). Its weights are then set panel
// by panel, by Pack, at the same time if wanted. bias is as for NewConv.
func (v *Variant) NewWinograd(s model.Conv, m int, bias []float32) (*Winograd, error) {
	return v.newWinograd(s, m, bias, false)
}

// NewBF16Winograd is NewWinograd for F(2, 3) whose transformed inputs and weights
// are rounded to bfloat16; sums, transforms and maps are float32. The variant
// must have BF16. Larger tiles would be too inexact.
func (v *Variant) NewBF16Winograd(s model.Conv, bias []float32) (*Winograd, error) {
	if !v.BF16() {
		return nil, fmt.Errorf("convolution %+v: no bf16 instructions in %v", s, v)
	}
	return v.newWinograd(s, 2, bias, true)
}

func (v *Variant) newWinograd(conv model.Conv, m int, bias []float32, bf16 bool) (*Winograd, error) {
	s := shape{conv}
	if err := s.check(bias); err != nil {
		return nil, err
	}
	t, ok := v.transforms[m]
	if !ok || !CanWinograd(conv) {
		return nil, fmt.Errorf("convolution %+v: not for F(%d, %d)", s, m, winograd.Taps)
	}
	c := &Winograd{shape: s, variant: v, f: winograd.New(m), t: t, gemm: v.gemm, bf16: bf16, words: Lanes, runs: s.runs(Lanes), bias: s.biases(bias)}
	if bf16 {
		c.gemm, c.t.input, c.t.weights, c.words = v.gemmBF16, v.inputBF16, v.weightsBF16, Lanes/2
	}
	last := c.runs[len(c.runs)-1]
	c.product = (last.at + (last.panel1-last.panel0)*last.blocks) * c.words * Lanes
	c.memory = newMemory(c.f.N * c.f.N * c.product)
	return c, nil
}

// Panels is the number of panels of 16 output channels.
func (c *Winograd) Panels() int { return ceilDiv(c.Out, Lanes) }

// Bytes is the memory of the packed weights.
func (c *Winograd) Bytes() int { return (len(c.weights) + len(c.bias)) * floatBytes }

// Tiles is the number of tiles of a map of h x w.
func (c *Winograd) Tiles(h, w int) int { return ceilDiv(h, c.f.M) * ceilDiv(w, c.f.M) }

// Border is the cells around an input of h x w that the tiles reach into.
func (c *Winograd) Border(h, w int) (top, left, bottom, right int) {
	reach := func(n int) int { return ceilDiv(n, c.f.M)*c.f.M + 1 - n }
	return 1, 1, reach(h), reach(w)
}

// sharedWeights is the size of weights from which workers divide them rather
// than the tiles: reading them takes longer than transforming all tiles.
const sharedWeights = 4 << 20

// tileChunk is how many tiles are transformed together: more read the weights
// for more tiles, fewer leave more of them in the second-level cache.
const tileChunk = 72

// Run computes the given share, of shares about as large, of the output for the
// first n images of src. The borders of src must be those of Border. Shares can
// be computed at the same time, with scratch of their own. The sums cannot start
// from what is in dst: ep.Add must be false.
func (c *Winograd) Run(dst, src *Maps, n, share, shares int, ep Epilogue, scratch *Scratch) {
	from, to := func(n int) int { return n * share / shares }, func(n int) int { return n * (share + 1) / shares }
	tiles := n * c.Tiles(src.H, src.W)
	tile0, tile1, panel0, panel1 := from(tiles), to(tiles), 0, c.Panels()
	if shares > 1 && tiles < c.Out && c.Bytes() > sharedWeights && c.Panels() >= shares {
		// Each worker reads its share of the weights, and transforms all tiles.
		tile0, tile1, panel0, panel1 = 0, tiles, from(c.Panels()), to(c.Panels())
	}
	chunks := ceilDiv(tile1-tile0, tileChunk)
	for i := range chunks {
		c.chunk(dst, src, tile0+i*(tile1-tile0)/chunks, tile0+(i+1)*(tile1-tile0)/chunks, panel0, panel1, ep, scratch)
	}
}

// Algorithm names how the sums are made.
func (c *Winograd) Algorithm() string {
	name := fmt.Sprintf("winograd F(%dx%d)", c.f.M, c.f.M)
	if c.bf16 {
		name += " bf16"
	}
	return name
}

// tiles calls f for neighbouring tiles: a stretch of the row y of an image from
// x, in tiles; i is the first one's place in the chunk.
func (c *Winograd) tiles(m *Maps, tile0, tile1 int, f func(image, y, x, i, n int)) {
	wide, all := ceilDiv(m.W, c.f.M), c.Tiles(m.H, m.W)
	for t := tile0; t < tile1; {
		y, x := t%all/wide, t%wide
		n := min(wide-x, tile1-t)
		f(t/all, y, x, t-tile0, n)
		t += n
	}
}

// spread is a stride for n values that does not map products to the same lines
// of the cache.
func spread(n int) int { return (ceilDiv(n, Lanes) | 1) * Lanes }

// chunk computes panels [p0, p1) of tiles [tile0, tile1).
func (c *Winograd) chunk(dst, src *Maps, tile0, tile1, p0, p1 int, ep Epilogue, scratch *Scratch) {
	n, count := c.f.N*c.f.N, tile1-tile0
	depth, width := src.Blocks()*c.words, (p1-p0)*Lanes
	input, result := spread(count*depth), spread(count*width)
	inputs, products := grow(&scratch.inputs, n*input), grow(&scratch.products, n*result)
	grow(&scratch.tile, n*Lanes)
	c.transformInput(src, tile0, tile1, inputs, input, scratch)
	for q := range n {
		for _, r := range c.runs {
			if from, to := max(r.panel0, p0), min(r.panel1, p1); from < to {
				c.multiply(products[q*result:], inputs[q*input+r.block0*c.words:], r, from, to, q, count, depth, width, p0, scratch)
			}
		}
	}
	c.transformOutput(dst, tile0, tile1, p0, p1, products, result, ep, scratch)
}

// transformInput writes the inputs of each product of the tiles, a row of all
// channels for each tile.
func (c *Winograd) transformInput(src *Maps, tile0, tile1 int, inputs []float32, product int, scratch *Scratch) {
	m, depth := c.f.M, src.Blocks()*c.words
	c.tiles(src, tile0, tile1, func(image, y, x, i, n int) {
		c.t.input(src.pointer(image, 0, y*m-1, x*m-1), src.pitch()*cellBytes, src.plane()*cellBytes, m*cellBytes,
			&inputs[i*depth], product*floatBytes, depth*floatBytes, &scratch.tile[0], src.Blocks(), n)
	})
}

// multiply computes product q for panels [from, to) of a run: count rows of
// results, of which the first panel is p0.
func (c *Winograd) multiply(results, inputs []float32, r run, from, to, q, count, depth, width, p0 int, scratch *Scratch) {
	length := r.blocks * c.words
	panels := c.variant.panels(count, to-from)
	for p := from; p < to; p += panels {
		panels := min(panels, to-p)
		at := q*c.product + (r.at+(p-r.panel0)*r.blocks)*c.words*Lanes
		// What follows is the next panels' weights, or the next product's.
		weights, ahead := &c.weights[at], &c.weights[min(at+panels*length*Lanes, len(c.weights)-1)]
		t := c.variant.tile(count, panels)
		gemm := func(rows, first, blocks int) {
			if blocks > 0 {
				c.gemm[panels-1][rows-1](&inputs[first*depth], depth*floatBytes, rows*depth*floatBytes, &scratch.zero, 1, length,
					weights, length*cellBytes, ahead, &results[first*width+(p-p0)*Lanes], width*floatBytes, cellBytes, rows*width*floatBytes, nil, 0, 0, blocks)
			}
		}
		gemm(t.rows+1, 0, t.large)
		gemm(t.rows, t.large*(t.rows+1), t.small)
	}
}

// transformOutput turns the products of the tiles into the results.
func (c *Winograd) transformOutput(dst *Maps, tile0, tile1, p0, p1 int, products []float32, product int, ep Epilogue, scratch *Scratch) {
	m, width := c.f.M, (p1-p0)*Lanes
	_, relu := ep.flags()
	c.tiles(dst, tile0, tile1, func(image, y, x, i, n int) {
		rows, whole := min(m, dst.H-y*m), n
		if (x+n)*m > dst.W {
			whole--
		}
		output := func(x, i, n, cols int) {
			c.t.output(&products[i*width], product*floatBytes, width*floatBytes, dst.pointer(image, p0, y*m, x*m), dst.pitch()*cellBytes, dst.plane()*cellBytes, m*cellBytes,
				&c.bias[p0*Lanes], &scratch.tile[0], p1-p0, n, rows, cols, relu)
		}
		if whole > 0 {
			output(x, i, whole, m)
		}
		if whole < n {
			output(x+whole, i+whole, 1, dst.W-(x+whole)*m)
		}
	})
}
