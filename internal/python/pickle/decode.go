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

// Opcodes of the pickle machine, from the documentation of Python's pickletools.
const (
	opMark           = '('
	opStop           = '.'
	opPop            = '0'
	opPopMark        = '1'
	opDup            = '2'
	opFloat          = 'F'
	opInt            = 'I'
	opBinInt         = 'J'
	opBinInt1        = 'K'
	opLong           = 'L'
	opBinInt2        = 'M'
	opNone           = 'N'
	opPersID         = 'P'
	opBinPersID      = 'Q'
	opReduce         = 'R'
	opString         = 'S'
	opBinString      = 'T'
	opShortBinString = 'U'
	opUnicode        = 'V'
	opBinUnicode     = 'X'
	opAppend         = 'a'
	opBuild          = 'b'
	opGlobal         = 'c'
	opDict           = 'd'
	opEmptyDict      = '}'
	opAppends        = 'e'
	opGet            = 'g'
	opBinGet         = 'h'
	opInst           = 'i'
	opLongBinGet     = 'j'
	opList           = 'l'
	opEmptyList      = ']'
	opObj            = 'o'
	opPut            = 'p'
	opBinPut         = 'q'
	opLongBinPut     = 'r'
	opSetItem        = 's'
	opTuple          = 't'
	opEmptyTuple     = ')'
	opSetItems       = 'u'
	opBinFloat       = 'G'
	opBinBytes       = 'B'
	opShortBinBytes  = 'C'

	opProto           = 0x80
	opNewObj          = 0x81
	opExt1            = 0x82
	opExt2            = 0x83
	opExt4            = 0x84
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opLong4           = 0x8b
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
	opNextBuffer      = 0x97
	opReadonlyBuffer  = 0x98
)

// argument is what follows an opcode.
type argument uint8

const (
	noOpcode  argument = iota
	nothing            // no argument
	uint8Arg           // a little-endian number of so many bits
	uint16Arg          //
	uint32Arg          //
	int32Arg           //
	float8Arg          // a float64, most significant byte first
	frameArg           // a length of what follows, of 8 bytes
	long1Arg           // a length of 1 or 4 bytes and as many of a number
	long4Arg           //
	text1Arg           // a length of 1, 4 or 8 bytes and as many of text
	text4Arg           //
	text8Arg           //
	numberArg          // a line of digits
	lineArg            // a line of text
	nameArg            // two lines: module and name
)

var arguments = [256]argument{
	opMark: nothing, opStop: nothing, opPop: nothing, opPopMark: nothing, opDup: nothing, opNone: nothing,
	opBinPersID: nothing, opReduce: nothing, opAppend: nothing, opBuild: nothing, opDict: nothing, opEmptyDict: nothing,
	opAppends: nothing, opList: nothing, opEmptyList: nothing, opObj: nothing, opSetItem: nothing, opTuple: nothing,
	opEmptyTuple: nothing, opSetItems: nothing, opNewObj: nothing, opTuple1: nothing, opTuple2: nothing, opTuple3: nothing,
	opNewTrue: nothing, opNewFalse: nothing, opEmptySet: nothing, opAddItems: nothing, opFrozenSet: nothing,
	opNewObjEx: nothing, opStackGlobal: nothing, opMemoize: nothing, opNextBuffer: nothing, opReadonlyBuffer: nothing,
	opBinInt1: uint8Arg, opBinGet: uint8Arg, opBinPut: uint8Arg, opProto: uint8Arg, opExt1: uint8Arg,
	opBinInt2: uint16Arg, opExt2: uint16Arg,
	opLongBinGet: uint32Arg, opLongBinPut: uint32Arg,
	opBinInt: int32Arg, opExt4: int32Arg,
	opBinFloat: float8Arg, opFrame: frameArg, opLong1: long1Arg, opLong4: long4Arg,
	opShortBinString: text1Arg, opShortBinBytes: text1Arg, opShortBinUnicode: text1Arg,
	opBinString: text4Arg, opBinBytes: text4Arg, opBinUnicode: text4Arg,
	opBinUnicode8: text8Arg, opBinBytes8: text8Arg, opByteArray8: text8Arg,
	opFloat: numberArg, opInt: numberArg, opLong: numberArg, opPersID: numberArg, opGet: numberArg, opPut: numberArg,
	opString: lineArg, opUnicode: lineArg,
	opGlobal: nameArg, opInst: nameArg,
}

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

// longLine reads a line of text; one that is too long is not kept.
func (d *decoder) longLine() error {
	d.text, d.blob = "", nil
	var b []byte
	at := d.pos
	for {
		part, err := d.r.ReadSlice('\n')
		d.pos += int64(len(part))
		switch {
		case d.skip:
		case d.blob == nil && len(b)+len(part) <= maxText:
			b = append(b, part...)
		default:
			d.blob = &Blob{Offset: at, Length: d.pos - at, escaped: true}
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
	if d.skip || d.blob != nil {
		return nil
	}
	line := string(b[:len(b)-1])
	if d.op == opString {
		line = strings.TrimSuffix(line, "\r")
		if n := len(line); n < 2 || line[0] != line[n-1] || line[0] != '\'' && line[0] != '"' {
			return errors.New("its pickled structure is damaged: a string has no quotes")
		}
		line = line[1 : len(line)-1]
	}
	d.text = unescape(line, d.op == opString)
	return nil
}

// unescape reads the escapes of Python: of a str of Python 2 in its own text
// (quoted), else of raw-unicode-escape, which knows \u and \U only.
func unescape(s string, quoted bool) string {
	if strings.IndexByte(s, '\\') < 0 && quoted {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c != '\\' || i+1 == len(s):
			if quoted {
				b.WriteByte(c)
			} else {
				b.WriteRune(rune(c)) // the line is Latin-1
			}
			continue
		case !quoted:
			width := map[byte]int{'u': 4, 'U': 8}[s[i+1]]
			if n, err := strconv.ParseUint(s[i+2:min(i+2+width, len(s))], 16, 32); width > 0 && err == nil {
				b.WriteRune(rune(n))
				i += 1 + width
			} else {
				b.WriteByte(c)
			}
			continue
		}
		i++
		switch c = s[i]; c {
		case 'x':
			if n, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
			}
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
