package kernel

import (
	"fmt"

	"repvgg/internal/cpu/winograd"
	"repvgg/internal/model"
)

// Winograd is a 3x3 convolution of stride 1 by F(m, 3) nested with itself. A tile,
// in this file, is N x N cells of the input, of which m x m of the output are
// computed: for each of N x N products, the transformed inputs of many tiles are
// multiplied with a matrix of transformed weights. It is read-only once its
// weights are set.
type Winograd struct {
	shape
	variant *Variant
	f       *winograd.Matrices
	elem    Elem // of what is multiplied; maps are Float32
	input   inputFunc
	output  outputFunc
	// transform is that of the weights.
	transform weightsFunc
	gemm      [][]gemmFunc
	runs      []run
	// memory is of weights: for each product the panels', as of a convolution with one
	// tap.
	memory
	product int // bytes of one product's weights
}

// CanWinograd reports whether NewWinograd takes a shape.
func CanWinograd(s model.Conv) bool {
	return s.KernelH == winograd.Taps && s.KernelW == winograd.Taps && s.Stride == 1 && s.Dilation == 1 && s.PadH == 1 && s.PadW == 1
}

// NewWinograd prepares a convolution by F(m, 3) whose transformed inputs and
// weights are rounded to an element type; sums, transforms and maps are Float32.
// In BFloat16 there is F(2, 3) only: larger tiles would be too inexact. Weights
// are then set panel by panel, by Pack, at the same time if wanted.
func (v *Variant) NewWinograd(s model.Conv, m int, elem Elem) (*Winograd, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if !v.Has(elem) {
		return nil, fmt.Errorf("convolution %+v: no %v instructions in %v", s, elem, v)
	}
	t := v.transforms[m]
	if t.input[elem] == nil || !CanWinograd(s) {
		return nil, fmt.Errorf("convolution %+v: not for F(%d, %d) in %v", s, m, winograd.Taps, elem)
	}
	c := &Winograd{shape: shape{s}, variant: v, f: winograd.New(m), elem: elem, input: t.input[elem], output: t.output, transform: t.weights[elem], gemm: v.gemm[elem]}
	c.runs = c.shape.runs(Lanes)
	c.product = units(c.runs) * c.unitBytes()
	c.memory = newMemory(c.f.N * c.f.N * c.product)
	return c, nil
}

// words is how many hold 16 channels of a transformed input, or of weights.
func (c *Winograd) words() int { return Lanes / c.elem.perWord() }

// unitBytes is the size of a panel's weights for one product and one input block.
func (c *Winograd) unitBytes() int { return c.words() * cellBytes }

// Bytes is the memory of the packed weights.
func (c *Winograd) Bytes() int { return len(c.weights) }

// Halo is the cells around an input of h x w that the tiles reach into.
func (c *Winograd) Halo(h, w int) Halo {
	reach := func(n int) int { return ceilDiv(n, c.f.M)*c.f.M + 1 - n }
	return Halo{1, 1, reach(h), reach(w)}
}

// Algorithm names how the sums are made.
func (c *Winograd) Algorithm() string {
	return algorithmName(fmt.Sprintf("winograd F(%dx%d)", c.f.M, c.f.M), c.elem)
}

// tiles is the number of tiles of a map of h x w.
func (c *Winograd) tiles(h, w int) int { return ceilDiv(h, c.f.M) * ceilDiv(w, c.f.M) }

// sharedWeights is the size of weights from which workers divide them rather
// than the tiles: reading them takes longer than transforming all tiles.
const sharedWeights = 4 << 20

// tileChunk is how many tiles are transformed together: more read the weights
// for more tiles, fewer leave more of them in the second-level cache.
const tileChunk = 72

// Run computes a share of the output for the first n images of src, whose halo
// must have room for Halo. Both maps are Float32. The sums cannot start from what
// is in dst: ep.Add must be false.
func (c *Winograd) Run(dst, src *Maps, n int, ep Epilogue, share Share) {
	tiles := n * c.tiles(src.H, src.W)
	tile0, tile1 := share.of(tiles)
	panel0, panel1 := 0, c.Panels()
	if share.N > 1 && tiles < c.Out && c.Bytes() > sharedWeights && c.Panels() >= share.N {
		// Each worker reads its share of the weights, and transforms all tiles.
		tile0, tile1 = 0, tiles
		panel0, panel1 = share.of(c.Panels())
	}
	chunks := ceilDiv(tile1-tile0, tileChunk)
	for i := range chunks {
		chunk := winogradChunk{
			Winograd: c, dst: dst, src: src, ep: ep, scratch: share.Scratch,
			tile0: tile0 + i*(tile1-tile0)/chunks, tile1: tile0 + (i+1)*(tile1-tile0)/chunks, panel0: panel0, panel1: panel1,
		}
		chunk.compute()
	}
}

// winogradChunk is what of a call of Run is computed at once: panels [panel0,
// panel1) of tiles [tile0, tile1).
type winogradChunk struct {
	*Winograd
	dst, src *Maps
	ep       Epilogue
	scratch  *Scratch

	tile0, tile1, panel0, panel1 int
	// inputs are the transformed tiles, product by product: a row of all channels for
	// each tile. outputs are their products with the weights, rows of the panels'
	// channels.
	inputs  []byte
	outputs []float32
	// From row to row and from product to product, in bytes.
	inputRow, inputProduct   int
	outputRow, outputProduct int
}

// spread is a stride for n bytes that does not map products to the same lines of
// the cache.
func spread(n int) int { return (ceilDiv(n, cellBytes) | 1) * cellBytes }

func (c *winogradChunk) compute() {
	products, tiles := c.f.N*c.f.N, c.tile1-c.tile0
	c.inputRow, c.outputRow = c.src.Blocks()*c.words()*wordBytes, (c.panel1-c.panel0)*cellBytes
	c.inputProduct, c.outputProduct = spread(tiles*c.inputRow), spread(tiles*c.outputRow)
	c.inputs = growBytes(&c.scratch.inputs, products*c.inputProduct)
	c.outputs = grow(&c.scratch.outputs, products*c.outputProduct/wordBytes)
	grow(&c.scratch.tile, products*Lanes)

	c.transformInput()
	for q := range products {
		for _, r := range c.runs {
			if from, to := max(r.panel0, c.panel0), min(r.panel1, c.panel1); from < to {
				c.multiply(q, r, from, to)
			}
		}
	}
	c.transformOutput()
}

// stretch is n neighbouring tiles of a row: from row y, column x of the tiles of
// an image. The first one has the number i in its chunk.
type stretch struct{ image, y, x, i, n int }

// each calls f for the stretches of a chunk.
func (c *winogradChunk) each(f func(s stretch)) {
	wide, all := ceilDiv(c.dst.W, c.f.M), c.tiles(c.dst.H, c.dst.W)
	for t := c.tile0; t < c.tile1; {
		s := stretch{image: t / all, y: t % all / wide, x: t % wide, i: t - c.tile0}
		s.n = min(wide-s.x, c.tile1-t)
		f(s)
		t += s.n
	}
}

// transformInput fills inputs.
func (c *winogradChunk) transformInput() {
	m := c.f.M
	c.each(func(s stretch) {
		c.input(c.src.floats(s.image, 0, s.y*m-1, s.x*m-1), c.src.rowBytes(), c.src.blockBytes(), m*cellBytes,
			&c.inputs[s.i*c.inputRow], c.inputProduct, c.inputRow, &c.scratch.tile[0], c.src.Blocks(), s.n)
	})
}

// multiply computes product q for panels [from, to) of a run.
func (c *winogradChunk) multiply(q int, r run, from, to int) {
	tiles := c.tile1 - c.tile0
	inputs := c.inputs[q*c.inputProduct+r.block0*c.words()*wordBytes:]
	outputs := c.outputs[q*c.outputProduct/wordBytes:]
	length, panelBytes := r.blocks*c.words(), r.blocks*c.unitBytes()
	together := c.variant.panels(tiles, to-from)
	for panel := from; panel < to; panel += together {
		panels := min(together, to-panel)
		at := q*c.product + r.unit(panel)*c.unitBytes()
		// What follows is the next panels' weights, or the next product's.
		weights, ahead := &c.weights[at], &c.weights[min(at+panels*panelBytes, len(c.weights)-wordBytes)]
		compute := func(rows, first, times int) {
			if times > 0 {
				c.gemm[panels-1][rows-1](&inputs[first*c.inputRow], c.inputRow, rows*c.inputRow, &c.scratch.zero, 1, length, weights, panelBytes, ahead,
					&outputs[first*c.outputRow/wordBytes+(panel-c.panel0)*Lanes], c.outputRow, cellBytes, rows*c.outputRow, nil, 0, 0, times)
			}
		}
		t := c.variant.registerTiles(tiles, panels)
		compute(t.rows+1, 0, t.large)
		compute(t.rows, t.large*(t.rows+1), t.small)
	}
}

// transformOutput turns outputs into the results.
func (c *winogradChunk) transformOutput() {
	m := c.f.M
	_, relu := c.ep.flags()
	c.each(func(s stretch) {
		rows, whole := min(m, c.dst.H-s.y*m), s.n
		if (s.x+s.n)*m > c.dst.W {
			whole--
		}
		// write is the results of n tiles from the i-th of the stretch on.
		write := func(i, n, cols int) {
			c.output(&c.outputs[(s.i+i)*c.outputRow/wordBytes], c.outputProduct, c.outputRow,
				c.dst.floats(s.image, c.panel0, s.y*m, (s.x+i)*m), c.dst.rowBytes(), c.dst.blockBytes(), m*cellBytes,
				c.ep.bias(c.panel0), &c.scratch.tile[0], c.panel1-c.panel0, n, rows, cols, relu)
		}
		if whole > 0 {
			write(0, whole, m)
		}
		if whole < s.n {
			write(whole, 1, c.dst.W-(s.x+whole)*m)
		}
	})
}
