package jpeg

import (
	"encoding/binary"
	"errors"
)

var (
	errEnd     = errors.New("the file ends early")
	errDamaged = errors.New("the compressed data are damaged")
)

// bitReader reads the entropy-coded data of a scan (T.81, F.2.2.5), up to the
// next marker or the end of the file.
type bitReader struct {
	data []byte
	pos  int    // of the next byte that is not in acc
	acc  uint64 // the low n bits are to be read next, the highest of them first
	n    uint
	err  error // why there are no more bits, once they are asked for
}

// fill brings n above 56, unless the data end before.
func (r *bitReader) fill() {
	if r.pos+8 <= len(r.data) {
		v := binary.BigEndian.Uint64(r.data[r.pos:])
		const ones, tops = 0x0101010101010101, 0x8080808080808080
		if (^v-ones)&v&tops == 0 { // no byte is 0xff
			bytes := (64 - r.n) / 8
			r.acc = r.acc<<(8*bytes) | v>>(64-8*bytes)
			r.n += 8 * bytes
			r.pos += int(bytes)
			return
		}
	}
	for r.n <= 56 {
		if r.pos >= len(r.data) {
			r.err = errEnd
			return
		}
		b := r.data[r.pos]
		next := r.pos + 1
		if b == 0xff {
			for next < len(r.data) && r.data[next] == 0xff {
				next++
			}
			if next >= len(r.data) {
				r.err = errEnd
				return
			}
			if r.data[next] != 0 {
				r.err = errDamaged // if a scan still wants bits at a marker
				return
			}
			next++
		}
		r.acc = r.acc<<8 | uint64(b)
		r.n += 8
		r.pos = next
	}
}

// need makes sure of n bits, at most 16.
func (r *bitReader) need(n uint) error {
	if r.n < n {
		if r.fill(); r.n < n {
			return r.err
		}
	}
	return nil
}

// bits reads n bits, at most 16.
func (r *bitReader) bits(n uint) (int32, error) {
	if err := r.need(n); err != nil {
		return 0, err
	}
	r.n -= n
	return int32(r.acc>>r.n) & (1<<n - 1), nil
}

// extended reads a value of n bits whose negative half is stored with all bits
// inverted (EXTEND in F.2.2.1).
func (r *bitReader) extended(n uint) (int32, error) {
	if n == 0 {
		return 0, nil
	}
	v, err := r.bits(n)
	if v < 1<<(n-1) {
		v -= 1<<n - 1
	}
	return v, err
}

// left is the number of bytes in the file that were not needed yet.
func (r *bitReader) left() int { return len(r.data) - r.pos + int(r.n/8) }

// reset forgets the bits before a marker.
func (r *bitReader) reset() {
	r.acc, r.n, r.err = 0, 0, nil
}

// marker moves behind the next marker and gives its second byte. Like libjpeg it
// skips what is in between.
func (r *bitReader) marker() (byte, error) {
	r.reset()
	for ; r.pos+1 < len(r.data); r.pos++ {
		if m := r.data[r.pos+1]; r.data[r.pos] == 0xff && m != 0 && m != 0xff {
			r.pos += 2
			return m, nil
		}
	}
	return 0, errEnd
}

// segment reads what follows a marker that has a length.
func (r *bitReader) segment() ([]byte, error) {
	rest := r.data[r.pos:]
	if len(rest) < 2 {
		return nil, errEnd
	}
	n := int(binary.BigEndian.Uint16(rest))
	if n < 2 {
		return nil, errors.New("a segment is shorter than its own length field")
	}
	if n > len(rest) {
		return nil, errEnd
	}
	r.pos += n
	return rest[2:n], nil
}
