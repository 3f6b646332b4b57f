package pickle

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxLine bounds the digits of a number and the names of classes.
	maxLine = 256
	// maxText bounds the texts that are kept; longer ones are Blobs.
	maxText = 4096
)

// ErrTruncated says that a file ends inside a pickle.
var ErrTruncated = errors.New("the file ends inside its pickled structure; it is truncated or damaged")

// decoder reads opcodes with their arguments.
type decoder struct {
	r *bufio.Reader
	// pos is where the next byte lies, end behind the last that may be read.
	pos, end int64
	// skip says that nobody wants to see texts.
	skip bool

	op byte
	// The argument: one of these.
	n    int64    // of a number that fits, an index or a length
	big  *big.Int // of a number that does not; else nil
	f    float64
	text string // also the module of a nameArg
	name string
	blob *Blob // instead of text if that is long; else nil
}

func newDecoder(r io.ReaderAt, at, end int64) *decoder {
	return &decoder{r: bufio.NewReaderSize(io.NewSectionReader(r, at, end-at), 64<<10), pos: at, end: end}
}

// next reads an opcode and its argument.
func (d *decoder) next() error {
	err := d.read()
	if err != nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return ErrTruncated
	}
	return err
}

func (d *decoder) read() (err error) {
	d.op, err = d.r.ReadByte()
	if err != nil {
		return err
	}
	d.pos++
	switch arguments[d.op] {
	case nothing:
		return nil
	case uint8Arg:
		d.n, err = d.uint(1)
	case uint16Arg:
		d.n, err = d.uint(2)
	case uint32Arg:
		d.n, err = d.uint(4)
	case int32Arg:
		d.n, err = d.uint(4)
		d.n = int64(int32(d.n))
	case float8Arg:
		var b []byte
		b, err = d.bytes(8)
		if err == nil {
			d.f = math.Float64frombits(binary.BigEndian.Uint64(b))
		}
	case frameArg:
		if d.n, err = d.uint(8); err == nil && (d.n < 0 || d.n > d.end-d.pos) {
			return fmt.Errorf("its pickled structure has a frame of %d bytes", uint64(d.n))
		}
	case long1Arg:
		err = d.long(1)
	case long4Arg:
		err = d.long(4)
	case text1Arg:
		err = d.prefixed(1)
	case text4Arg:
		err = d.prefixed(4)
	case text8Arg:
		err = d.prefixed(8)
	case numberArg:
		d.text, err = d.line()
		if err == nil && (!d.skip || d.op == opGet) {
			err = d.number()
		}
	case lineArg:
		err = d.longLine()
	case nameArg:
		if d.text, err = d.line(); err == nil {
			d.name, err = d.line()
		}
	case noOpcode:
		return fmt.Errorf("its pickled structure has the unknown opcode 0x%02x; it is damaged or no pickle", d.op)
	}
	return err
}

// bytes reads n of them, at most maxLine, which are valid until the next read.
func (d *decoder) bytes(n int) ([]byte, error) {
	b, err := d.r.Peek(n)
	if err != nil {
		return nil, err
	}
	d.pos += int64(n)
	_, err = d.r.Discard(n)
	return b, err
}

// uint reads a little-endian number of 1, 2, 4 or 8 bytes. One of 8 may come out
// negative.
func (d *decoder) uint(size int) (int64, error) {
	b, err := d.bytes(size)
	if err != nil {
		return 0, err
	}
	switch size {
	case 1:
		return int64(b[0]), nil
	case 2:
		return int64(binary.LittleEndian.Uint16(b)), nil
	case 4:
		return int64(binary.LittleEndian.Uint32(b)), nil
	}
	return int64(binary.LittleEndian.Uint64(b)), nil
}

// length reads a length of width bytes and holds it against a limit and what is
// left of the file.
func (d *decoder) length(width int, limit int64) (int64, error) {
	n, err := d.uint(width)
	if left := d.end - d.pos; err == nil && (n < 0 || n > left) {
		return 0, fmt.Errorf("its pickled structure has an item of %d bytes where %d are left; it is truncated or damaged", uint64(n), left)
	}
	if err == nil && n > limit {
		err = damaged("a number has %d bytes", n)
	}
	return n, err
}

// prefixed reads a text behind its length.
func (d *decoder) prefixed(width int) error {
	n, err := d.length(width, math.MaxInt64)
	if err != nil {
		return err
	}
	d.text, d.blob = "", nil
	if n <= maxText && !d.skip {
		b, err := d.r.Peek(int(n))
		if err != nil {
			return err
		}
		d.text = string(b)
	} else if n > maxText {
		d.blob = &Blob{Offset: d.pos, Length: n}
	}
	for rest := n; rest > 0 && err == nil; { // in pieces, as int may have 32 bits
		var skipped int
		skipped, err = d.r.Discard(int(min(rest, 1<<30)))
		rest -= int64(skipped)
		d.pos += int64(skipped)
	}
	return err
}

// long reads a little-endian number in two's complement behind its length.
func (d *decoder) long(width int) error {
	n, err := d.length(width, maxLine)
	if err != nil {
		return err
	}
	b, err := d.bytes(int(n))
	if err != nil {
		return err
	}
	d.big = nil
	if n <= 8 {
		var v [8]byte
		if n > 0 && b[n-1] >= 0x80 {
			v = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		}
		copy(v[:], b)
		d.n = int64(binary.LittleEndian.Uint64(v[:]))
		return nil
	}
	negative := b[n-1] >= 0x80
	b = slices.Clone(b)
	slices.Reverse(b)
	d.big = new(big.Int).SetBytes(b)
	if negative {
		d.big.Sub(d.big, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	}
	return nil
}

// line reads a short line, without its end.
func (d *decoder) line() (string, error) {
	b, err := d.r.ReadSlice('\n')
	d.pos += int64(len(b))
	if len(b) > maxLine+1 {
		return "", errors.New("its pickled structure has a name or a number that does not end")
	}
	if err != nil || d.skip && d.op != opGet { // only where a value lies says something then
		return "", err
	}
	return string(b[:len(b)-1]), nil
}

// number reads the number that d.text writes.
func (d *decoder) number() (err error) {
	d.big = nil
	switch d.op {
	case opFloat:
		d.f, err = strconv.ParseFloat(d.text, 64)
		if errors.Is(err, strconv.ErrRange) {
			err = nil // an infinity
		}
	case opPersID:
	default:
		text := strings.TrimSuffix(d.text, "L")
		d.n, err = strconv.ParseInt(text, 10, 64)
		if errors.Is(err, strconv.ErrRange) {
			var ok bool
			if d.big, ok = new(big.Int).SetString(text, 10); ok {
				err = nil
			}
		}
	}
	if err != nil {
		err = fmt.Errorf("its pickled structure is damaged: %.40q is no number", d.text)
	}
	return err
}
