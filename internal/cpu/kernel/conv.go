package kernel

import (
	"errors"
	"fmt"
	"slices"

	"repvgg/internal/model"
)

// shape is a convolution as the packing of its weights sees it.
type shape struct{ model.Conv }

// check holds the bias against the shape.
func (s shape) check(bias []float32) error {
	if err := s.Check(); err != nil {
		return err
	}
	if bias != nil && len(bias) != s.Out {
		return errors.New("convolution: want a bias for each output channel")
	}
	return nil
}

// run is consecutive panels of 16 output channels with the same input blocks:
// those of all groups that a panel has channels of. Weights between groups are
// zeros.
type run struct {
	panel0, panel1 int
	block0, blocks int // of the input
	at             int // of the first panel's weights, in units of one block's weights
}

// runs divides a convolution's panels; cell is the channels of an input block.
func (s shape) runs(cell int) []run {
	outs, ins := s.Out/s.Groups, s.In/s.Groups
	var all []run
	total := 0
	for p := range ceilDiv(s.Out, Lanes) {
		first, last := p*Lanes/outs, (min((p+1)*Lanes, s.Out)-1)/outs // groups
		block0 := first * ins / cell
		blocks := ceilDiv((last+1)*ins, cell) - block0
		if n := len(all) - 1; n >= 0 && all[n].blocks == blocks && all[n].block0 == block0 {
			all[n].panel1++
		} else {
			all = append(all, run{panel0: p, panel1: p + 1, block0: block0, blocks: blocks, at: total})
		}
		total += blocks
	}
	return all
}

// runOf is the run that has a panel.
func runOf(runs []run, panel int) run {
	return runs[slices.IndexFunc(runs, func(r run) bool { return panel < r.panel1 })]
}

// biases pads a bias to whole panels; nil gives zeros.
func (s shape) biases(bias []float32) []float32 {
	padded := AlignedFloats(ceilDiv(s.Out, Lanes) * Lanes)
	copy(padded, bias)
	return padded
}

// Conv is a direct convolution with packed weights. It is read-only once its
// weights are set.
type Conv struct {
	shape
	variant *Variant
	in      Layout // what Planar and BF16 say of the input
	gemm    [][]gemmFunc
	runs    []run
	// weights holds for each panel of 16 output channels and each of its input
	// blocks the taps, for each tap the block's channels, for each channel 16
	// weights. For planar input a block is one channel; for bf16 input it is 32,
	// and weights come two to a word as the channels do.
	memory
	bias []float32
}

// NewConv prepares a convolution whose input is planar or not. Its weights are
// then set panel by panel, by Pack, at the same time if wanted. bias is Out
// values, or nil for zeros, and is not kept.
func (v *Variant) NewConv(s model.Conv, planar bool, bias []float32) (*Conv, error) {
	return v.newConv(s, Layout{Planar: planar}, v.gemm, bias)
}

// NewBF16Conv is NewConv for bf16 input: see Narrow. Its weights are rounded to
// bfloat16; sums and output are float32. The variant must have BF16.
func (v *Variant) NewBF16Conv(s model.Conv, bias []float32) (*Conv, error) {
	if !v.BF16() {
		return nil, fmt.Errorf("convolution %+v: no bf16 instructions in %v", s, v)
	}
	return v.newConv(s, Layout{BF16: true}, v.gemmBF16, bias)
}

func (v *Variant) newConv(conv model.Conv, in Layout, gemm [][]gemmFunc, bias []float32) (*Conv, error) {
	s := shape{conv}
	if err := s.check(bias); err != nil {
		return nil, err
	}
	c := &Conv{shape: s, variant: v, in: in, gemm: gemm, runs: s.runs(in.channels()), bias: s.biases(bias)}
	last := c.runs[len(c.runs)-1]
	c.memory = newMemory((last.at + (last.panel1-last.panel0)*last.blocks) * c.blockLen())
	return c, nil
}

// blockLen is the words of a panel's weights for one input block.
func (c *Conv) blockLen() int { return c.Taps() * c.in.cell() * Lanes }

// panel is a panel's packed weights.
func (c *Conv) panel(r run, p int) []float32 {
	return c.weights[(r.at+(p-r.panel0)*r.blocks)*c.blockLen():][:r.blocks*c.blockLen()]
}

// Bytes is the memory of the packed weights.
func (c *Conv) Bytes() int { return (len(c.weights) + len(c.bias)) * floatBytes }

// Panels is the number of panels of 16 output channels, the unit in which work
// is divided by channels.
func (c *Conv) Panels() int { return ceilDiv(c.Out, Lanes) }

// Epilogue is what happens to a sum before it is stored.
type Epilogue struct {
	Add  bool // to what is in dst, in place of the bias
	ReLU bool
}

func (e Epilogue) flags() (add, relu int) {
	if e.Add {
		add = 1
	}
	if e.ReLU {
		relu = 1
	}
	return add, relu
}

// part is a part of a convolution's output.
type part struct {
	image0, image1, row0, row1, panel0, panel1 int
}

// Run computes the given share, of shares about as large, of the output for the
// first n images of src. The borders of src must be those of Border. Shares can
// be computed at the same time, with scratch of their own. dst may be bf16 if the
// variant has BF16; ep.Add must be false then, and with tile registers.
func (c *Conv) Run(dst, src *Maps, n, share, shares int, ep Epilogue, scratch *Scratch) {
	from, to := func(n int) int { return n * share / shares }, func(n int) int { return n * (share + 1) / shares }
	if c.Bytes() > n*src.Len()*floatBytes && c.Panels() >= shares {
		// Each worker reads its share of the weights.
		c.chunks(dst, src, part{0, n, 0, dst.H, from(c.Panels()), to(c.Panels())}, ep, scratch)
		return
	}
	row0, row1 := from(n*dst.H), to(n*dst.H)
	for row0 < row1 {
		// Whole images together, parts of an image alone.
		image, y := row0/dst.H, row0%dst.H
		p := part{image, image + 1, y, min(dst.H, y+row1-row0), 0, c.Panels()}
		if y == 0 && row1-row0 > dst.H {
			p.image1 = row1 / dst.H
		}
		c.chunks(dst, src, p, ep, scratch)
		row0 += (p.image1 - p.image0) * (p.row1 - p.row0)
	}
}

// inputChunk is how much of the input is gone through for each group of panels
// before the next: it stays in the second-level cache with the panels' weights.
// Weights that stay in no cache are read again for each chunk: it is an eighth of
// them at least.
const inputChunk = 512 << 10

// chunks computes a part by rows or images of inputChunk.
func (c *Conv) chunks(dst, src *Maps, p part, ep Epilogue, scratch *Scratch) {
	length := c.segments(src, scratch)
	rowBytes := src.Blocks() * src.pitch() * src.cell() * floatBytes * c.Stride
	rows, images := max(1, max(inputChunk, c.Bytes()/8)/rowBytes), 1
	if rows > p.row1-p.row0 {
		rows, images = max(1, p.row1-p.row0), max(1, rows/max(1, p.row1-p.row0))
	}
	for i := p.image0; i < p.image1; i += images {
		for y := p.row0; y < p.row1; y += rows {
			c.chunk(dst, src, part{i, min(i+images, p.image1), y, min(y+rows, p.row1), p.panel0, p.panel1}, length, ep, scratch)
		}
	}
}

// fetchAhead is the size of weights up to which the next ones are fetched ahead:
// the second-level cache has room for both.
const fetchAhead = 256 << 10

func (c *Conv) chunk(dst, src *Maps, p part, length int, ep Epilogue, scratch *Scratch) {
	perBlock := c.Taps() * c.in.cell() / length
	for _, r := range c.runs {
		panel0, panel1 := max(r.panel0, p.panel0), min(r.panel1, p.panel1)
		if panel0 >= panel1 {
			continue
		}
		n := c.variant.panels(dst.W, panel1-panel0)
		if c.in.BF16 && c.variant.amx != nil {
			n = min(2, panel1-panel0)
		}
		for panel := panel0; panel < panel1; panel += n {
			for i := p.image0; i < p.image1; i++ {
				c.rows(dst, src, i, r, panel, min(n, panel1-panel), p.row0, p.row1, scratch.offsets[:r.blocks*perBlock], length, ep, scratch)
			}
		}
	}
}

// segments lists where the products of an output cell find their inputs, as
// offsets in bytes to stretches of length values.
func (c *Conv) segments(src *Maps, scratch *Scratch) (length int) {
	blocks := 0
	for _, r := range c.runs {
		blocks = max(blocks, r.blocks)
	}
	offsets := scratch.offsets[:0]
	wholeRows := c.in.Planar && c.Dilation == 1
	for b := range blocks {
		for y := range c.KernelH {
			for x := range c.KernelW {
				if wholeRows && x > 0 {
					break
				}
				offsets = append(offsets, (b*src.plane()+(y*src.pitch()+x)*c.Dilation)*src.cell()*floatBytes)
			}
		}
	}
	scratch.offsets = offsets
	if wholeRows {
		return c.KernelW
	}
	return c.in.cell()
}

// rows computes rows of n panels of one image.
func (c *Conv) rows(dst, src *Maps, image int, r run, panel, n, row0, row1 int, offsets []int, length int, ep Epilogue, scratch *Scratch) {
	if c.in.BF16 && c.variant.amx != nil {
		c.tiles(dst, src, image, r, panel, n, row0, row1, offsets, ep, scratch)
		return
	}
	if dst.BF16 {
		c.roundedRows(dst, src, image, r, panel, n, row0, row1, offsets, length, ep, scratch)
		return
	}
	t := c.variant.tile(dst.W, n)
	add, relu := ep.flags()
	weights := &c.panel(r, panel)[0]
	ahead := weights
	if next := panel + n; n*r.blocks*c.blockLen()*floatBytes < fetchAhead && next < r.panel1 {
		ahead = &c.panel(r, next)[0]
	}
	aStride := c.Stride * src.cell() * floatBytes
	aRow, cRow := c.Stride*src.pitch()*src.cell()*floatBytes, dst.pitch()*cellBytes
	panelBytes := r.blocks * c.blockLen() * floatBytes
	gemm := func(rows, y, x, aNext, cNext, blocks int) {
		c.gemm[n-1][rows-1](src.pointer(image, r.block0, y*c.Stride-c.PadH, x*c.Stride-c.PadW), aStride, aNext, &offsets[0], len(offsets), length,
			weights, panelBytes, ahead, dst.pointer(image, panel, y, x), cellBytes, dst.plane()*cellBytes, cNext, &c.bias[panel*Lanes], add, relu, blocks)
	}
	if t.large+t.small == 1 {
		// One tile a row: all rows in one call.
		gemm(t.rows, row0, 0, aRow, cRow, row1-row0)
		return
	}
	for y := row0; y < row1; y++ {
		if t.large > 0 {
			gemm(t.rows+1, y, 0, (t.rows+1)*aStride, (t.rows+1)*cellBytes, t.large)
		}
		gemm(t.rows, y, t.large*(t.rows+1), t.rows*aStride, t.rows*cellBytes, t.small)
	}
}

// Border is the cells around an input of h x w that the taps reach into.
func (c *Conv) Border(h, w int) (top, left, bottom, right int) {
	oh, ow := c.OutSize(h, w)
	reach := func(out, in, kernel, pad int) int {
		return max(0, (out-1)*c.Stride-pad+(kernel-1)*c.Dilation-(in-1))
	}
	return c.PadH, c.PadW, reach(oh, h, c.KernelH, c.PadH), reach(ow, w, c.KernelW, c.PadW)
}

// Algorithm names how the sums are made.
func (c *Conv) Algorithm() string {
	if c.in.BF16 {
		return "direct bf16"
	}
	return "direct"
}
