package kernel

import "math"

// AddScaled adds scale*src + shift to dst, for each channel of a block of 16, and
// applies ReLU if asked to. dst and src are as many cells; scale and shift one.
func (v *Variant) AddScaled(dst, src, scale, shift []float32, relu bool) {
	v.addScaled(&dst[0], &src[:len(dst)][0], &scale[:Lanes][0], &shift[:Lanes][0], flag(relu), len(dst)/Lanes)
}

// Gate multiplies the cells of dst by the cell scale, and applies ReLU if asked to.
func (v *Variant) Gate(dst, scale []float32, relu bool) {
	v.gate(&dst[0], &scale[:Lanes][0], flag(relu), len(dst)/Lanes)
}

// Narrow rounds block b of image i of the Float32 maps src to the BFloat16 maps
// dst, to nearest or even. The variant must have BFloat16.
func (v *Variant) Narrow(dst, src *Maps, i, b int) {
	// A missing upper half has zero weights: any numbers do.
	low, high := 2*b, min(2*b+1, src.Blocks()-1)
	for y := range src.H {
		v.narrow(dst.cell(i, b, y, 0), src.floats(i, low, y, 0), src.floats(i, high, y, 0), dst.W)
	}
}

// GlobalAvgPool writes the mean of each channel of block b of image i to the
// cell dst. Rows are summed in float32, their sums in float64.
func (v *Variant) GlobalAvgPool(dst []float32, m *Maps, i, b int, scratch *Scratch) {
	var total [Lanes]float64
	for y := range m.H {
		v.sum(&scratch.sums[0], &m.Row(i, b, y)[0], m.W)
		for l, s := range scratch.sums {
			total[l] += float64(s)
		}
	}
	for l, s := range total {
		dst[l] = float32(s / float64(m.H*m.W))
	}
}

// Sigmoid replaces each value by 1 / (1 + exp(-x)), in place.
func Sigmoid(x []float32) {
	for i, v := range x {
		x[i] = float32(1 / (1 + math.Exp(-float64(v))))
	}
}
