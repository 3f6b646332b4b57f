package kernel

import "math"

// AddScaled adds scale*src + shift to dst, for each channel of a block of 16, and
// applies ReLU if asked to. dst and src are as many cells; scale and shift one.
func (v *Variant) AddScaled(dst, src, scale, shift []float32, relu bool) {
	_, flag := Epilogue{ReLU: relu}.flags()
	v.addScaled(&dst[0], &src[:len(dst)][0], &scale[:Lanes][0], &shift[:Lanes][0], flag, len(dst)/Lanes)
}

// Gate multiplies the cells of dst by the cell scale and applies ReLU.
func (v *Variant) Gate(dst, scale []float32) { v.gate(&dst[0], &scale[:Lanes][0], len(dst)/Lanes) }

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
