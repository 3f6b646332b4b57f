package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The markers that are told apart (T.81, table B.1).
const (
	markerSOF0  = 0xc0 // baseline
	markerSOF1  = 0xc1 // extended sequential
	markerSOF2  = 0xc2 // progressive
	markerDHT   = 0xc4
	markerJPG   = 0xc8
	markerDAC   = 0xcc
	markerSOF15 = 0xcf
	markerRST0  = 0xd0
	markerRST7  = 0xd7
	markerSOI   = 0xd8
	markerEOI   = 0xd9
	markerSOS   = 0xda
	markerDQT   = 0xdb
	markerDRI   = 0xdd
	markerAPP0  = 0xe0
	markerAPP14 = 0xee
	markerTEM   = 0x01
)

// natural is the position in a block, row by row, of each coefficient in the
// zigzag order of the file.
var natural = [64]byte{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}

// component is one plane of an image. A block is 8x8 samples.
type component struct {
	id, table  byte
	h, v       int // sampling factors
	wide, high int // in blocks, for a scan of this component alone
	stride     int // blocks of a row, padded to whole MCUs
	quant      *[64]int32
	coefs      [][64]int16 // of a progressive image, all blocks; in natural order
	samples    []byte      // rows of 8*stride, padded to whole MCUs
	dc         int32       // prediction of the next block
}

// frame is an image that is being decoded in Go.
type frame struct {
	in            bitReader
	width, height int
	progressive   bool
	components    []component
	maxH, maxV    int
	mcuWide       int // MCUs of an interleaved scan, across and down
	mcuHigh       int
	jfif          bool
	adobe         bool
	transform     byte // of the Adobe marker
	restart       int  // MCUs from one restart marker to the next, or 0
	quant         [4]*[64]int32
	dcTables      [4]*huffman
	acTables      [4]*huffman
	rows          int // rows of the image that were decoded
}

// next reads the segments up to the next one of kind SOF, SOS or EOI.
func (f *frame) next() (marker byte, segment []byte, err error) {
	for {
		m, err := f.in.marker()
		if err != nil {
			return 0, nil, err
		}
		if m == markerEOI {
			return m, nil, nil
		}
		if m == markerTEM || m >= markerRST0 && m <= markerSOI {
			continue
		}
		s, err := f.in.segment()
		if err != nil {
			return 0, nil, err
		}
		switch {
		case m == markerDHT:
			err = f.readHuffman(s)
		case m == markerDQT:
			err = f.readQuantization(s)
		case m == markerDRI:
			if len(s) != 2 {
				return 0, nil, errors.New("the restart interval has a wrong length")
			}
			f.restart = int(binary.BigEndian.Uint16(s))
		case m == markerAPP0:
			f.jfif = f.jfif || len(s) >= 14 && string(s[:5]) == "JFIF\x00"
		case m == markerAPP14:
			if len(s) >= 12 && string(s[:5]) == "Adobe" {
				f.adobe, f.transform = true, s[11]
			}
		case m == markerSOS || m >= markerSOF0 && m <= markerSOF15 && m != markerJPG && m != markerDAC:
			return m, s, nil
		}
		if err != nil {
			return 0, nil, err
		}
	}
}

func (f *frame) readQuantization(s []byte) error {
	for len(s) > 0 {
		index, size := s[0]&15, 1+int(s[0]>>4)
		if index > 3 || size > 2 || len(s) < 1+64*size {
			return errors.New("damaged quantization table")
		}
		q := new([64]int32)
		for i, pos := range natural {
			if size == 1 {
				q[pos] = int32(s[1+i])
			} else {
				q[pos] = int32(binary.BigEndian.Uint16(s[1+2*i:]))
			}
		}
		f.quant[index] = q
		s = s[1+64*size:]
	}
	return nil
}

func (f *frame) readHuffman(s []byte) error {
	for len(s) > 0 {
		if len(s) < 17 {
			return errors.New("damaged Huffman table")
		}
		n := 0
		for _, c := range s[1:17] {
			n += int(c)
		}
		class, index := s[0]>>4, s[0]&15
		if class > 1 || index > 3 || n > 256 || len(s) < 17+n {
			return errors.New("damaged Huffman table")
		}
		h, err := newHuffman(s[1:17], s[17:17+n])
		if err != nil {
			return err
		}
		if class == 0 {
			f.dcTables[index] = h
		} else {
			f.acTables[index] = h
		}
		s = s[17+n:]
	}
	return nil
}

// readFrame reads a start of frame. It allocates nothing for the image.
func (f *frame) readFrame(marker byte, s []byte, maxPixels int) error {
	if f.components != nil {
		return errors.New("more than one start of frame")
	}
	if marker > markerSOF2 {
		return fmt.Errorf("unsupported compression: start of frame %d", marker-markerSOF0)
	}
	f.progressive = marker == markerSOF2
	if len(s) < 6 || len(s) != 6+3*int(s[5]) {
		return errors.New("the start of frame has a wrong length")
	}
	if s[0] != 8 {
		return fmt.Errorf("unsupported samples of %d bits", s[0])
	}
	f.height, f.width = int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:]))
	if err := checkSize(f.width, f.height, maxPixels); err != nil {
		return err
	}
	if n := s[5]; n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("unsupported number of components: %d", n)
	}
	f.components = make([]component, s[5])
	for i := range f.components {
		d := s[6+3*i:]
		c := component{id: d[0], h: int(d[1] >> 4), v: int(d[1] & 15), table: d[2]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.table > 3 {
			return errors.New("damaged start of frame")
		}
		f.maxH, f.maxV = max(f.maxH, c.h), max(f.maxV, c.v)
		f.components[i] = c
	}
	f.mcuWide, f.mcuHigh = ceilDiv(f.width, 8*f.maxH), ceilDiv(f.height, 8*f.maxV)
	for i := range f.components {
		c := &f.components[i]
		if f.maxH%c.h != 0 || f.maxV%c.v != 0 {
			return errors.New("unsupported sampling factors")
		}
		c.wide, c.high = ceilDiv(f.width*c.h, 8*f.maxH), ceilDiv(f.height*c.v, 8*f.maxV)
		c.stride = f.mcuWide * c.h
	}
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
