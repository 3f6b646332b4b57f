package report

import (
	"bufio"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"repvgg/internal/python"
)

// pickleEncoder writes a dict as pickle protocol 2. Arrays are NumPy arrays, with
// the module names of NumPy 1, which NumPy 2 still accepts.
type pickleEncoder struct{ w *bufio.Writer }

// Opcodes of pickle, from the documentation of Python's pickletools.
const (
	opProto       = "\x80\x02"
	opStop        = "."
	opMark        = "("
	opNone        = "N"
	opTrue        = "\x88"
	opFalse       = "\x89"
	opInt8        = "K"    // BININT1
	opInt32       = "J"    // BININT
	opInt64       = "\x8a" // LONG1
	opFloat       = "G"    // BINFLOAT
	opUnicode     = "X"    // BINUNICODE
	opLongUnicode = "\x8d" // BINUNICODE8
	opEmptyDict   = "}"
	opSetItems    = "u"
	opEmptyList   = "]"
	opAppends     = "e"
	opTuple       = "t" // of all items after the mark
	opTuple1      = "\x85"
	opTuple2      = "\x86"
	opTuple3      = "\x87"
	opGlobal      = "c"
	opReduce      = "R"
	opBuild       = "b"
)

func (e *pickleEncoder) begin() bool {
	e.put(opProto + opEmptyDict + opMark)
	return false
}

func (e *pickleEncoder) end() { e.put(opSetItems + opStop) }

func (e *pickleEncoder) put(s string) { e.w.WriteString(s) }

func (e *pickleEncoder) key(name string) { e.string(name) }

func (e *pickleEncoder) float(v float64) {
	e.put(opFloat)
	e.w.Write(binary.BigEndian.AppendUint64(e.w.AvailableBuffer(), math.Float64bits(v)))
}

func (e *pickleEncoder) floats(v []float64) {
	e.array("f8", 8, len(v), func(i int) uint64 { return math.Float64bits(v[i]) }, len(v))
}

func (e *pickleEncoder) ints(n int, at func(int) int64) {
	e.array("i8", 8, n, func(i int) uint64 { return uint64(at(i)) }, n)
}

func (e *pickleEncoder) vector(n int, at func(int) float32) {
	e.array("f4", 4, n, func(i int) uint64 { return uint64(math.Float32bits(at(i))) }, n)
}

func (e *pickleEncoder) matrix(v []float32, columns int) {
	e.array("f4", 4, len(v), func(i int) uint64 { return uint64(math.Float32bits(v[i])) }, len(v)/columns, columns)
}

func (e *pickleEncoder) strings(n int, at func(int) string) {
	e.put(opEmptyList + opMark)
	for i := range n {
		e.string(at(i))
	}
	e.put(opAppends)
}

// string writes a str. Lone surrogates are written as Python's pickle does.
func (e *pickleEncoder) string(s string) {
	var b []byte
	for c := range python.Runes(s) {
		if c >= 0xd800 && c < 0xe000 { // utf8.AppendRune would replace it
			b = append(b, 0xe0|byte(c>>12), 0x80|byte(c>>6&0x3f), 0x80|byte(c&0x3f))
			continue
		}
		b = utf8.AppendRune(b, c)
	}
	e.put(opUnicode)
	e.w.Write(binary.LittleEndian.AppendUint32(e.w.AvailableBuffer(), uint32(len(b))))
	e.w.Write(b)
}

func (e *pickleEncoder) global(module, name string) { e.put(opGlobal + module + "\n" + name + "\n") }

func (e *pickleEncoder) int(v int) {
	if v > math.MaxInt32 {
		e.put(opInt64 + "\x08")
		e.w.Write(binary.LittleEndian.AppendUint64(e.w.AvailableBuffer(), uint64(v)))
		return
	}
	e.put(opInt32)
	e.w.Write(binary.LittleEndian.AppendUint32(e.w.AvailableBuffer(), uint32(v)))
}

// array writes n elements of size bytes as an array with a shape, in the form that
// ndarray.__reduce__ returns:
//
//	a = numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), b"b")
//	a.__setstate__((1, shape, dtype, False, data))
func (e *pickleEncoder) array(dtype string, size, n int, bits func(i int) uint64, shape ...int) {
	e.global("numpy.core.multiarray", "_reconstruct")
	e.global("numpy", "ndarray")
	e.put(opInt8 + "\x00" + opTuple1)
	e.bytes(1, 1, func(int) uint64 { return 'b' })
	e.put(opTuple3 + opReduce)

	e.put(opMark + opInt8 + "\x01")
	e.put(opMark)
	for _, s := range shape {
		e.int(s)
	}
	e.put(opTuple)
	e.dtype(dtype)
	e.put(opFalse) // not in Fortran order
	e.bytes(size, n, bits)
	e.put(opTuple + opBuild)
}

// dtype writes a little-endian element type, in the form that dtype.__reduce__
// returns.
func (e *pickleEncoder) dtype(name string) {
	e.global("numpy", "dtype")
	e.string(name)
	e.put(opFalse + opTrue + opTuple3 + opReduce)
	e.put(opMark + opInt8 + "\x03")
	e.string("<")
	e.put(opNone + opNone + opNone)
	e.put(opInt32 + "\xff\xff\xff\xff" + opInt32 + "\xff\xff\xff\xff" + opInt8 + "\x00")
	e.put(opTuple + opBuild)
}

// bytes writes n little-endian elements as a bytes object. Protocol 2 has no bytes
// type: the object is a str of the characters U+0000 to U+00FF, encoded as Latin-1.
func (e *pickleEncoder) bytes(size, n int, bits func(i int) uint64) {
	length := uint64(n) * uint64(size)
	for i := range n {
		for b := bits(i); b > 0; b >>= 8 {
			length += b >> 7 & 1 // takes two bytes in UTF-8
		}
	}
	e.global("_codecs", "encode")
	e.w.Write(appendUnicodeLength(e.w.AvailableBuffer(), length))
	var text [16]byte
	for i := range n {
		t := text[:0]
		for b, k := bits(i), 0; k < size; b, k = b>>8, k+1 {
			t = utf8.AppendRune(t, rune(b&0xff))
		}
		e.w.Write(t)
	}
	e.string("latin1")
	e.put(opTuple2 + opReduce)
}

// appendUnicodeLength starts a str of length bytes. From 4 GiB on, it needs an
// opcode of protocol 4, which Python's reader accepts in any pickle.
func appendUnicodeLength(b []byte, length uint64) []byte {
	if length > math.MaxUint32 {
		return binary.LittleEndian.AppendUint64(append(b, opLongUnicode...), length)
	}
	return binary.LittleEndian.AppendUint32(append(b, opUnicode...), uint32(length))
}
