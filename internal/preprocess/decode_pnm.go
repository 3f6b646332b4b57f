package preprocess

import (
	"errors"
	"fmt"
)

// isPNM tells P1 to P6 followed by white space.
func isPNM(data []byte) bool {
	return len(data) >= 3 && data[0] == 'P' && '1' <= data[1] && data[1] <= '6' && isSpace(data[2])
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

var errPNMShort = errors.New("the file ends early")

// pnmReader reads a PNM file with OpenCV's rules, which are not quite those of
// the format: exactly one byte follows a number, whatever it is, and it must exist.
type pnmReader struct {
	data []byte
	pos  int
}

func (r *pnmReader) next() (byte, error) {
	if r.pos >= len(r.data) {
		return 0, errPNMShort
	}
	r.pos++
	return r.data[r.pos-1], nil
}

// number reads a decimal number after white space and comments. A number of
// maxDigits digits ends there (0: no limit).
func (r *pnmReader) number(maxDigits int) (int, error) {
	c, err := r.next()
	for err == nil && !isDigit(c) {
		switch {
		case c == '#':
			for err == nil && c != '\n' && c != '\r' {
				c, err = r.next()
			}
		case !isSpace(c):
			return 0, fmt.Errorf("unexpected byte %q at offset %d, want a number", c, r.pos-1)
		}
		if err == nil {
			c, err = r.next()
		}
	}
	v, digits := 0, 0
	for err == nil && isDigit(c) {
		v = v*10 + int(c-'0')
		if v > 1<<31-1 {
			return 0, errors.New("a number is too large")
		}
		if digits++; digits == maxDigits {
			break
		}
		c, err = r.next()
	}
	return v, err
}

// decodePNM reads bitmaps, greymaps and pixmaps, as text (P1 to P3) or binary
// (P4 to P6). As in OpenCV, only 8-bit text samples are scaled by the file's
// maximum; binary ones are taken as they are, and of 16 bits the high byte.
func decodePNM(data []byte) (*Image, error) {
	r := &pnmReader{data: data, pos: 2}
	kind := int(data[1] - '0')
	binary := kind > 3
	if binary {
		kind -= 3
	}
	var header [3]int
	header[2] = 1
	for i := range header {
		if i == 2 && kind == 1 {
			break
		}
		var err error
		if header[i], err = r.number(0); err != nil {
			return nil, err
		}
	}
	width, height, maxval := header[0], header[1], header[2]
	if err := checkSize(width, height); err != nil {
		return nil, err
	}
	if maxval < 1 || maxval > 65535 {
		return nil, fmt.Errorf("maximum value %d is not in 1..65535", maxval)
	}
	samples := width // of a row
	if kind == 3 {
		samples *= 3
	}
	// Every sample takes at least a bit or a digit: refuse before allocating.
	least := samples * height
	if binary && kind == 1 {
		least = (width + 7) / 8 * height
	} else if binary && maxval > 255 {
		least *= 2
	}
	if len(data)-r.pos < least {
		return nil, errPNMShort
	}
	img, err := NewImage(width, height)
	if err != nil {
		return nil, err
	}
	src := make([]byte, samples)
	for y := range height {
		if binary {
			r.binaryRow(src, kind, maxval)
		} else if err := r.textRow(src, kind, maxval); err != nil {
			return nil, err
		}
		if kind == 3 {
			copy(img.row(y), src)
		} else {
			pick(img.row(y), src, 1, 0)
		}
	}
	return img, nil
}

// binaryRow reads one row of bytes; decodePNM has checked that they are there.
func (r *pnmReader) binaryRow(dst []byte, kind, maxval int) {
	src := r.data[r.pos:]
	switch {
	case kind == 1:
		for x := range dst {
			dst[x] = ^-(src[x/8] >> (7 - x%8) & 1)
		}
		r.pos += (len(dst) + 7) / 8
	case maxval > 255:
		for x := range dst {
			dst[x] = src[2*x]
		}
		r.pos += 2 * len(dst)
	default:
		r.pos += copy(dst, src)
	}
}

func (r *pnmReader) textRow(dst []byte, kind, maxval int) error {
	for x := range dst {
		if kind == 1 {
			v, err := r.number(1)
			if err != nil {
				return err
			}
			if v == 0 {
				dst[x] = 255
			} else {
				dst[x] = 0
			}
			continue
		}
		v, err := r.number(0)
		if err != nil {
			return err
		}
		v = min(v, maxval)
		if maxval > 255 {
			dst[x] = byte(v >> 8)
		} else {
			dst[x] = byte(v * 255 / maxval)
		}
	}
	return nil
}
