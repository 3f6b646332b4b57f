package kernel

import (
	"encoding/binary"
	"math"
)

// Elem is the type of the elements of feature maps, and of packed weights. Sums
// of products are float32 whatever it is.
//
// To add a type: a line of elems, its rounding in put and get, and the inner loops
// of the Variants that have instructions for it.
type Elem uint8

const (
	// Float32 is what images, sums and results are.
	Float32 Elem = iota
	// BFloat16 is the upper half of a float32.
	BFloat16
	elemCount
)

// elems is what there is to know about the types.
var elems = [elemCount]struct {
	name string
	size int // bytes
}{
	Float32:  {"fp32", 4},
	BFloat16: {"bf16", 2},
}

// String is the name of the type in messages.
func (e Elem) String() string { return elems[e].name }

// Size is the bytes of an element.
func (e Elem) Size() int { return elems[e].size }

// perWord is the elements of a word.
func (e Elem) perWord() int { return wordBytes / e.Size() }

// put rounds v to the type, to nearest or even, and makes it element i of p.
func (e Elem) put(p []byte, i int, v float32) {
	if e == BFloat16 {
		binary.NativeEndian.PutUint16(p[2*i:], roundBF16(v))
		return
	}
	binary.NativeEndian.PutUint32(p[4*i:], math.Float32bits(v))
}

// get is element i of p.
func (e Elem) get(p []byte, i int) float32 {
	if e == BFloat16 {
		return math.Float32frombits(uint32(binary.NativeEndian.Uint16(p[2*i:])) << 16)
	}
	return math.Float32frombits(binary.NativeEndian.Uint32(p[4*i:]))
}

// roundBF16 rounds to bfloat16; NaN stays NaN.
func roundBF16(v float32) uint16 {
	bits := math.Float32bits(v)
	if v != v {
		return uint16(bits>>16) | 1<<6 // quiet
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
