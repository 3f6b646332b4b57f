package kernel

import "math"

// Narrow writes n rows of block b of image i of the bf16 maps dst, from row y on,
// from the float32 maps src. Values are rounded to nearest, or even.
func (v *Variant) Narrow(dst, src *Maps, i, b, y, n int) {
	// A missing upper half has zero weights: any numbers do.
	low, high := 2*b, min(2*b+1, src.Blocks()-1)
	for ; n > 0; y, n = y+1, n-1 {
		v.narrow(&dst.Row(i, b, y)[0], &src.Row(i, low, y)[0], &src.Row(i, high, y)[0], dst.W)
	}
}

// bf16 rounds to bfloat16, to nearest or even; NaN stays NaN.
func bf16(v float32) uint16 {
	bits := math.Float32bits(v)
	if v != v {
		return uint16(bits>>16) | 1<<6 // quiet
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// setHalf sets the lower or upper half of a word.
func setHalf(word *float32, half int, v float32) {
	bits := math.Float32bits(*word)
	bits = bits&^(0xffff<<(16*half)) | uint32(bf16(v))<<(16*half)
	*word = math.Float32frombits(bits)
}
