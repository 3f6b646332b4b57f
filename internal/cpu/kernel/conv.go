package kernel

import (
	"fmt"

	"repvgg/internal/model"
)

// Conv is a direct convolution with packed weights. It is read-only once its
// weights are set.
type Conv struct {
	shape
	variant *Variant
	in      Format
	gemm    [][]gemmFunc
	runs    []run
	memory  // of weights: the panels', one after the other, as the package's comment has them
}

// NewConv prepares a convolution of maps of the format in. Its weights are then
// set panel by panel, by Pack, at the same time if wanted; they are rounded to the
// format's element type. The variant must have that type.
func (v *Variant) NewConv(s model.Conv, in Format) (*Conv, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if !v.Has(in.Elem) {
		return nil, fmt.Errorf("convolution %+v: no %v instructions in %v", s, in.Elem, v)
	}
	c := &Conv{shape: shape{s}, variant: v, in: in, gemm: v.gemm[in.Elem]}
	c.runs = c.shape.runs(in.channels())
	c.memory = newMemory(units(c.runs) * c.unitBytes())
	return c, nil
}

// unitBytes is the size of a panel's weights for one input block.
func (c *Conv) unitBytes() int { return c.Taps() * c.in.words() * cellBytes }

// panel is a panel's packed weights.
func (c *Conv) panel(r run, p int) []byte {
	return c.weights[r.unit(p)*c.unitBytes():][:r.blocks*c.unitBytes()]
}

// Bytes is the memory of the packed weights.
func (c *Conv) Bytes() int { return len(c.weights) }

// Halo is the cells around an input of h x w that the taps reach into.
func (c *Conv) Halo(h, w int) Halo {
	oh, ow := c.OutSize(h, w)
	reach := func(out, in, kernel, pad int) int {
		return max(0, (out-1)*c.Stride-pad+(kernel-1)*c.Dilation-(in-1))
	}
	return Halo{c.PadH, c.PadW, reach(oh, h, c.KernelH, c.PadH), reach(ow, w, c.KernelW, c.PadW)}
}

// Algorithm names how the sums are made.
func (c *Conv) Algorithm() string { return algorithmName("direct", c.in.Elem) }

// algorithmName adds the element type to a name, but for float32.
func algorithmName(name string, e Elem) string {
	if e == Float32 {
		return name
	}
	return fmt.Sprintf("%s %v", name, e)
}

// Run computes a share of the output for the first n images of src, whose halo
// must have room for Halo. dst may have any element type of the variant; ep.Add is
// for maps of Float32 only.
func (c *Conv) Run(dst, src *Maps, n int, ep Epilogue, share Share) {
	call := convCall{Conv: c, dst: dst, src: src, ep: ep, scratch: share.Scratch}
	call.setSegments()
	if c.Bytes() > n*src.Bytes() && c.Panels() >= share.N {
		// Each worker reads its share of the weights.
		panel0, panel1 := share.of(c.Panels())
		call.chunks(part{0, n, 0, dst.H, panel0, panel1})
		return
	}
	row0, row1 := share.of(n * dst.H)
	for row0 < row1 {
		// Whole images together, parts of an image alone.
		image, y := row0/dst.H, row0%dst.H
		p := part{image, image + 1, y, min(dst.H, y+row1-row0), 0, c.Panels()}
		if y == 0 && row1-row0 > dst.H {
			p.image1 = row1 / dst.H
		}
		call.chunks(p)
		row0 += (p.image1 - p.image0) * (p.row1 - p.row0)
	}
}

// convCall is a call of Conv.Run.
type convCall struct {
	*Conv
	dst, src *Maps
	ep       Epilogue
	scratch  *Scratch
	// offsets are the segments of the run with the most blocks, each in bytes from the
	// cell of an output's first tap; other runs have the first of them. There are so
	// many segments for a block, each of length words.
	offsets          []int
	segments, length int
}

// setSegments lists where the products of an output cell find their inputs.
func (c *convCall) setSegments() {
	blocks := 0
	for _, r := range c.runs {
		blocks = max(blocks, r.blocks)
	}
	// The cells of neighbouring taps of a planar map are neighbours in memory.
	wholeRows := c.in.Planar && c.Dilation == 1
	c.length = c.in.words()
	if wholeRows {
		c.length = c.KernelW
	}
	c.offsets = c.scratch.offsets[:0]
	for b := range blocks {
		for y := range c.KernelH {
			for x := range c.KernelW {
				if wholeRows && x > 0 {
					break
				}
				c.offsets = append(c.offsets, b*c.src.blockBytes()+c.Dilation*(y*c.src.rowBytes()+x*c.src.cellBytes()))
			}
		}
	}
	c.scratch.offsets = c.offsets
	c.segments = len(c.offsets) / blocks
}

// part is a part of a convolution's output: images, rows and panels.
type part struct {
	image0, image1, row0, row1, panel0, panel1 int
}

// inputChunk is how much of the input is gone through for each group of panels
// before the next: it stays in the second-level cache with the panels' weights.
// Weights that stay in no cache are read again for each chunk: it is an eighth of
// them at least.
const inputChunk = 512 << 10

// chunks computes a part by rows or images of inputChunk.
func (c *convCall) chunks(p part) {
	rowBytes := c.src.Blocks() * c.src.rowBytes() * c.Stride
	rows, images := max(1, max(inputChunk, c.Bytes()/8)/rowBytes), 1
	if rows > p.row1-p.row0 {
		rows, images = max(1, p.row1-p.row0), max(1, rows/max(1, p.row1-p.row0))
	}
	for i := p.image0; i < p.image1; i += images {
		for y := p.row0; y < p.row1; y += rows {
			c.chunk(part{i, min(i+images, p.image1), y, min(y+rows, p.row1), p.panel0, p.panel1})
		}
	}
}

// chunk computes a part by bands: as many panels as share register tiles.
func (c *convCall) chunk(p part) {
	for _, r := range c.runs {
		panel0, panel1 := max(r.panel0, p.panel0), min(r.panel1, p.panel1)
		if panel0 >= panel1 {
			continue
		}
		n := c.variant.panels(c.dst.W, panel1-panel0)
		if c.useAMX() {
			n = min(amxPanels, panel1-panel0)
		}
		for panel := panel0; panel < panel1; panel += n {
			for i := p.image0; i < p.image1; i++ {
				c.band(band{run: r, image: i, row0: p.row0, row1: p.row1, panel: panel, panels: min(n, panel1-panel)})
			}
		}
	}
}

// band is rows [row0, row1) of an image, for some panels of a run from panel on.
type band struct {
	run
	image, row0, row1 int
	panel, panels     int
}

func (c *convCall) band(b band) {
	switch {
	case c.useAMX():
		c.bandAMX(b)
	case c.dst.Elem != Float32:
		c.bandOfSums(b)
	default:
		c.bandInPlace(b)
	}
}
