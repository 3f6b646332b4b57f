package pickle

import (
	"bufio"
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Op is an opcode without an argument, of those that an Encoder's caller puts
// between values.
type Op string

// The opcodes that make up containers and calls: of what was written before, the
// pickle machine takes one value or two, or all from a Mark on.
const (
	Mark       Op = "("
	EmptyDict  Op = "}"
	SetItem    Op = "s" // of a dict, a key and its value
	SetItems   Op = "u" // of a dict, a mark, keys and values
	EmptyList  Op = "]"
	Appends    Op = "e" // of a list, a mark and items
	EmptyTuple Op = ")"
	MarkTuple  Op = "t"    // of a mark and items
	Tuple1     Op = "\x85" // of one item
	Tuple2     Op = "\x86"
	Tuple3     Op = "\x87"
	None       Op = "N"
	True       Op = "\x88"
	False      Op = "\x89"
	Reduce     Op = "R" // calls a function, of it and a tuple
	Build      Op = "b" // of an object and its state
	PersID     Op = "Q" // of what identifies a persistent value
)

// Encoder writes one pickle of protocol 2, in the order in which the pickle
// machine wants it. Errors are left to the bufio.Writer, which keeps the first.
type Encoder struct{ w *bufio.Writer }

// NewEncoder begins a pickle.
func NewEncoder(w *bufio.Writer) *Encoder {
	e := &Encoder{w}
	e.put("\x80\x02") // PROTO
	return e
}

// End ends the pickle, whose value was written last.
func (e *Encoder) End() { e.w.WriteByte(opStop) }

func (e *Encoder) put(s string) { e.w.WriteString(s) }

// Put writes opcodes.
func (e *Encoder) Put(ops ...Op) {
	for _, op := range ops {
		e.put(string(op))
	}
}

// Global writes a reference to a class or function.
func (e *Encoder) Global(module, name string) { e.put("c" + module + "\n" + name + "\n") }

// Str writes a str, given in UTF-8.
func (e *Encoder) Str(s string) {
	e.w.Write(appendUnicodeLength(e.w.AvailableBuffer(), uint64(len(s))))
	e.put(s)
}

// Float writes a float.
func (e *Encoder) Float(v float64) {
	e.w.Write(binary.BigEndian.AppendUint64(append(e.w.AvailableBuffer(), opBinFloat), math.Float64bits(v)))
}

// Int writes an int of at least 0 in the shortest form, as Python does.
func (e *Encoder) Int(v int) {
	b := e.w.AvailableBuffer()
	switch {
	case v < 1<<8:
		b = append(b, opBinInt1, byte(v))
	case v < 1<<16:
		b = binary.LittleEndian.AppendUint16(append(b, opBinInt2), uint16(v))
	default:
		e.WideInt(v)
		return
	}
	e.w.Write(b)
}

// WideInt writes an int in 32 bits, or in 64 if it takes them.
func (e *Encoder) WideInt(v int) {
	b := e.w.AvailableBuffer()
	if v > math.MaxInt32 {
		b = binary.LittleEndian.AppendUint64(append(b, opLong1, 8), uint64(v))
	} else {
		b = binary.LittleEndian.AppendUint32(append(b, opBinInt), uint32(v))
	}
	e.w.Write(b)
}

// Array writes n elements of size bytes as a numpy.ndarray of this shape, as
// ndarray.__reduce__ describes it, under the names that NumPy 1 gives them and
// NumPy 2 still knows:
//
//	a = numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), b"b")
//	a.__setstate__((1, shape, dtype, False, data))
//
// dtype is NumPy's abbreviation: "f4". bits gives the elements.
func (e *Encoder) Array(dtype string, size, n int, bits func(i int) uint64, shape ...int) {
	e.Global("numpy.core.multiarray", "_reconstruct")
	e.Global("numpy", "ndarray")
	e.Int(0)
	e.Put(Tuple1)
	e.bytes(1, 1, func(int) uint64 { return 'b' })
	e.Put(Tuple3, Reduce)

	e.Put(Mark)
	e.Int(1)
	e.Put(Mark)
	for _, s := range shape {
		e.WideInt(s)
	}
	e.Put(MarkTuple)
	e.dtype(dtype)
	e.Put(False) // not in Fortran's order
	e.bytes(size, n, bits)
	e.Put(MarkTuple, Build)
}

// dtype writes a little-endian element type, as dtype.__reduce__ describes it.
func (e *Encoder) dtype(name string) {
	e.Global("numpy", "dtype")
	e.Str(name)
	e.Put(False, True, Tuple3, Reduce)
	e.Put(Mark)
	e.Int(3)
	e.Str("<")
	e.Put(None, None, None)
	e.WideInt(-1)
	e.WideInt(-1)
	e.Int(0)
	e.Put(MarkTuple, Build)
}

// bytes writes the n elements, little-endian, as a bytes object. Protocol 2 has
// none: it is the characters U+0000 to U+00FF encoded as Latin-1.
func (e *Encoder) bytes(size, n int, bits func(i int) uint64) {
	length := uint64(n) * uint64(size)
	for i := range n {
		for b := bits(i); b > 0; b >>= 8 {
			length += b >> 7 & 1 // takes two bytes in UTF-8
		}
	}
	e.Global("_codecs", "encode")
	e.w.Write(appendUnicodeLength(e.w.AvailableBuffer(), length))
	var text [16]byte
	for i := range n {
		t := text[:0]
		for b, k := bits(i), 0; k < size; b, k = b>>8, k+1 {
			t = utf8.AppendRune(t, rune(b&0xff))
		}
		e.w.Write(t)
	}
	e.Str("latin1")
	e.Put(Tuple2, Reduce)
}

// appendUnicodeLength starts a str of so many bytes. One of 4 GiB and more needs
// an opcode of protocol 4, which Python's reader takes in any pickle.
func appendUnicodeLength(b []byte, length uint64) []byte {
	if length > math.MaxUint32 {
		return binary.LittleEndian.AppendUint64(append(b, opBinUnicode8), length)
	}
	return binary.LittleEndian.AppendUint32(append(b, opBinUnicode), uint32(length))
}
