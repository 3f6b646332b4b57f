package kernel

import "math"

// ScaleShiftAdd adds scale*src + shift to dst, element by element, and then
// applies ReLU if asked to. The slices have the same length.
func (v *Variant) ScaleShiftAdd(dst, src []float32, scale, shift float32, relu bool) {
	v.scaleShiftAdd(dst[:len(src)], src, scale, shift, relu)
}

func scaleShiftAddGo(dst, src []float32, scale, shift float32, relu bool) {
	dst = dst[:len(src)]
	if relu {
		for i, v := range src {
			dst[i] = max(dst[i]+(scale*v+shift), 0)
		}
		return
	}
	for i, v := range src {
		dst[i] += scale*v + shift
	}
}

// ScaleReLU multiplies x by scale and applies ReLU, in place.
func (v *Variant) ScaleReLU(x []float32, scale float32) { v.scaleReLU(x, scale) }

func scaleReLUGo(x []float32, scale float32) {
	for i, v := range x {
		x[i] = max(v*scale, 0)
	}
}

// ReLU replaces negative values by zero, in place; NaN stays.
func ReLU(x []float32) {
	for i, v := range x {
		x[i] = max(v, 0)
	}
}

// Sigmoid replaces each value by 1 / (1 + exp(-x)), in place.
func Sigmoid(x []float32) {
	for i, v := range x {
		x[i] = float32(1 / (1 + math.Exp(-float64(v))))
	}
}

// GlobalAvgPool writes the mean of each channel of src to dst: src has
// len(dst) channels of the same number of pixels. It sums in float64.
func GlobalAvgPool(dst, src []float32) {
	pixels := len(src) / len(dst)
	for c := range dst {
		dst[c] = mean(src[c*pixels:][:pixels])
	}
}

// mean adds in four sums: one alone would wait for each addition.
func mean(x []float32) float32 {
	n := float64(len(x))
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0 += float64(x[0])
		s1 += float64(x[1])
		s2 += float64(x[2])
		s3 += float64(x[3])
	}
	for _, v := range x {
		s0 += float64(v)
	}
	return float32(((s0 + s1) + (s2 + s3)) / n)
}

// Linear writes weight*x + bias to dst; weight has len(dst) rows of len(x).
func (v *Variant) Linear(dst, x, weight, bias []float32) {
	for o := range dst {
		dst[o] = v.dot(weight[o*len(x):][:len(x)], x) + bias[o]
	}
}

// dotGo adds in four sums: one alone would wait for each addition.
func dotGo(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}
