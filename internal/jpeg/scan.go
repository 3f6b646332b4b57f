package jpeg

import (
	"errors"
	"slices"
)

// maxScans bounds the work that a small file can ask for, as in libjpeg.c.
const maxScans = 500

// readAhead is about how many bytes libjpeg wants to see beyond those that it
// decodes. Where a file ends before, it does not finish the row of blocks.
const readAhead = 4

// scan is one pass over some components of a frame.
type scan struct {
	in             *bitReader
	components     []*component
	dc, ac         []*huffman // of each component
	first, last    int        // coefficients of the band, in zigzag order
	high, low      uint       // bit positions: of the scan before (0: none), and of this one
	endOfBandBlock int32      // further blocks that have nothing in the band
	decodeBlock    func(s *scan, i int, b *[64]int16) error
}

// readScan decodes a scan, whose header is s.
func (f *frame) readScan(header []byte) error {
	s, err := f.newScan(header)
	if err != nil {
		return err
	}
	for _, c := range s.components {
		if err := f.prepare(c); err != nil {
			return err
		}
	}
	wide, high, perRow := f.mcuWide, f.mcuHigh, 1
	if len(s.components) == 1 {
		c := s.components[0]
		wide, high, perRow = c.wide, c.high, c.v
	}
	n := 0
	for y := range high {
		for x := range wide {
			if f.restart > 0 && n > 0 && n%f.restart == 0 {
				if err := s.restart(byte(n/f.restart - 1)); err != nil {
					return err
				}
			}
			if err := s.mcu(x, y); err != nil {
				return err
			}
			n++
		}
		if f.in.left() >= readAhead {
			f.rows = f.complete((y + 1) / perRow)
		}
	}
	return nil
}

func (f *frame) newScan(header []byte) (*scan, error) {
	n := 0
	if len(header) > 0 {
		n = int(header[0])
	}
	if n < 1 || n > len(f.components) || len(header) != 4+2*n {
		return nil, errors.New("the start of scan has a wrong length")
	}
	band := header[1+2*n:]
	s := &scan{
		in: &f.in, first: int(band[0]), last: int(band[1]),
		high: uint(band[2] >> 4), low: uint(band[2] & 15),
	}
	damaged := errors.New("damaged start of scan")
	blocks := 0
	for i := range n {
		id, tables := header[1+2*i], header[2+2*i]
		c := f.component(id)
		if c == nil || tables>>4 > 3 || tables&15 > 3 {
			return nil, damaged
		}
		if slices.Contains(s.components, c) {
			return nil, damaged
		}
		s.components = append(s.components, c)
		s.dc = append(s.dc, f.dcTables[tables>>4])
		s.ac = append(s.ac, f.acTables[tables&15])
		blocks += c.h * c.v
	}
	if n > 1 && blocks > 10 {
		return nil, damaged
	}
	needDC, needAC := true, true
	switch {
	case !f.progressive:
		s.first, s.last, s.high, s.low = 0, 63, 0, 0
		s.decodeBlock = (*scan).sequential
	case s.low > 13 || s.high != 0 && s.high != s.low+1:
		return nil, damaged
	case s.first == 0:
		if s.last != 0 {
			return nil, damaged
		}
		needDC, needAC = s.high == 0, false
		s.decodeBlock = (*scan).firstDC
		if s.high > 0 {
			s.decodeBlock = (*scan).refineDC
		}
	case s.last < s.first || s.last > 63 || n != 1:
		return nil, damaged
	default:
		needDC = false
		s.decodeBlock = (*scan).firstAC
		if s.high > 0 {
			s.decodeBlock = (*scan).refineAC
		}
	}
	for i := range n {
		if needDC && s.dc[i] == nil || needAC && s.ac[i] == nil {
			return nil, errors.New("a scan has no Huffman table")
		}
	}
	f.in.reset()
	return s, nil
}

func (f *frame) component(id byte) *component {
	for i := range f.components {
		if f.components[i].id == id {
			return &f.components[i]
		}
	}
	return nil
}

// prepare readies a component for a scan. At its first, that is when the
// quantization steps are fixed and memory is allocated.
func (f *frame) prepare(c *component) error {
	c.dc = 0
	if c.quant != nil {
		return nil
	}
	if c.quant = f.quant[c.table]; c.quant == nil {
		return errors.New("a scan has no quantization table")
	}
	if f.progressive {
		c.coefs = make([][64]int16, f.blocks(c))
	}
	c.samples = make([]byte, 64*f.blocks(c))
	return nil
}

// blocks is how many blocks a component has, padded to whole MCUs.
func (f *frame) blocks(c *component) int { return c.stride * f.mcuHigh * c.v }

// restart reads restart marker n.
func (s *scan) restart(n byte) error {
	m, err := s.in.marker()
	if err != nil {
		return err
	}
	if m != markerRST0+n&7 {
		return errDamaged
	}
	for _, c := range s.components {
		c.dc = 0
	}
	s.endOfBandBlock = 0
	return nil
}

// mcu decodes the minimum coded unit in column x and row y: a block if there is
// one component in the scan, otherwise h x v blocks of each.
func (s *scan) mcu(x, y int) error {
	if len(s.components) == 1 {
		return s.block(0, x, y)
	}
	for i, c := range s.components {
		for dy := range c.v {
			for dx := range c.h {
				if err := s.block(i, x*c.h+dx, y*c.v+dy); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// block decodes the block in column x and row y of the scan's component i.
func (s *scan) block(i, x, y int) error {
	c := s.components[i]
	if c.coefs != nil {
		return s.decodeBlock(s, i, &c.coefs[y*c.stride+x])
	}
	var b [64]int16
	if err := s.sequential(i, &b); err != nil {
		return err
	}
	c.idct(&b, x, y)
	return nil
}

// idct turns the coefficients of block (x, y) into samples.
func (c *component) idct(b *[64]int16, x, y int) {
	stride := 8 * c.stride
	idctBlock(b, c.quant, c.samples[8*y*stride+8*x:], stride)
}
