package preprocess

import "math"

// Pillow's resize (Image.resize of 9.4): a convolution whose support grows with
// the reduction, so that it antialiases. Two passes, rows first, each rounded
// to 8 bits; weights are fixed point numbers of pillowBits bits.
const pillowBits = 32 - 8 - 2

// pillowKernel is a resampling filter: its weight at a distance, in units of
// the larger of source and destination pixels, and the distance where it ends.
type pillowKernel struct {
	weight  func(x float64) float64
	support float64
}

func pillowFilter(interpolation string) resizeFunc {
	var k pillowKernel
	switch interpolation {
	case "nearest":
		return pillowNearest
	case "box":
		k = pillowKernel{boxWeight, 0.5}
	case "bilinear":
		k = pillowKernel{triangleWeight, 1}
	case "hamming":
		k = pillowKernel{hammingWeight, 1}
	case "bicubic":
		k = pillowKernel{cubicWeight, 2}
	case "lanczos":
		k = pillowKernel{lanczosWeight, 3}
	default:
		return nil
	}
	return k.resize
}

// The explicit conversions in the weights keep the compiler from fusing a
// product with a sum, which would round differently.

func boxWeight(x float64) float64 {
	if x > -0.5 && x <= 0.5 {
		return 1
	}
	return 0
}

func triangleWeight(x float64) float64 {
	return max(0, 1-math.Abs(x))
}

func hammingWeight(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x == 0:
		return 1
	case x >= 1:
		return 0
	}
	x *= math.Pi
	// The constants are single precision in Pillow.
	return math.Sin(x) / x * (float64(float32(0.54)) + float64(float64(float32(0.46))*math.Cos(x)))
}

func cubicWeight(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64((float64((a+2)*x)-(a+3))*x*x) + 1
	case x < 2:
		return (float64((float64((x-5)*x)+8)*x) - 4) * a
	}
	return 0
}

func lanczosWeight(x float64) float64 {
	if x < -3 || x >= 3 {
		return 0
	}
	return sinc(x) * sinc(x/3)
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// taps is how each element of an axis of the result is made: taps[i] weighs
// the len(weights) source elements from first on.
type taps struct {
	first   int
	weights []int32
}

// taps computes the weights of an axis that goes from in to out elements.
func (k pillowKernel) taps(in, out int) []taps {
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := k.support * stretch
	inverse := 1 / stretch
	size := 2*int(math.Ceil(support)) + 1
	all := make([]int32, 0, out*min(size, in))
	exact := make([]float64, min(size, in))
	list := make([]taps, out)
	for i := range list {
		center := (float64(i) + 0.5) * scale
		first := max(0, int(center-support+0.5))
		last := min(in, int(center+support+0.5))
		w, sum := exact[:max(0, last-first)], 0.0
		for j := range w {
			w[j] = k.weight((float64(j+first) - center + 0.5) * inverse)
			sum += w[j]
		}
		start := len(all)
		for _, v := range w {
			if sum != 0 {
				v /= sum
			}
			all = append(all, fixedPoint(v))
		}
		list[i] = taps{first, all[start:len(all):len(all)]}
	}
	return list
}

func fixedPoint(v float64) int32 {
	v *= 1 << pillowBits
	if v < 0 {
		return int32(v - 0.5)
	}
	return int32(v + 0.5)
}

// resize runs the passes that are needed: an axis that keeps its size is
// copied, and the first pass leaves out the rows that the second does not read.
func (k pillowKernel) resize(dst, src *Image, b *buffers) {
	if src.Height == dst.Height {
		across := k.taps(src.Width, dst.Width)
		for y := range dst.Height {
			resampleRow(dst.row(y), src.row(y), across)
		}
		return
	}
	down := k.taps(src.Height, dst.Height)
	rows, firstRow := src, 0
	if src.Width != dst.Width {
		end := down[dst.Height-1]
		firstRow = down[0].first
		n := end.first + len(end.weights) - firstRow
		rows = &Image{Width: dst.Width, Height: n, Pix: grow(&b.bytes, 3*dst.Width*n)}
		across := k.taps(src.Width, dst.Width)
		for y := range n {
			resampleRow(rows.row(y), src.row(firstRow+y), across)
		}
	}
	sums := grow(&b.ints, 3*dst.Width)
	for y, t := range down {
		resampleColumns(dst.row(y), rows, t.first-firstRow, t.weights, sums)
	}
}

// resampleRow makes one row of RGB pixels from another, a weighted sum of
// neighbours for each.
func resampleRow(dst, src []byte, across []taps) {
	const half = 1 << (pillowBits - 1)
	for i, t := range across {
		s := src[3*t.first:]
		r, g, b := int32(half), int32(half), int32(half)
		w := t.weights
		// Two neighbours at a time: most of the time there are three to six.
		for len(w) >= 2 && len(s) >= 6 {
			r += int32(s[0])*w[0] + int32(s[3])*w[1]
			g += int32(s[1])*w[0] + int32(s[4])*w[1]
			b += int32(s[2])*w[0] + int32(s[5])*w[1]
			s, w = s[6:], w[2:]
		}
		if len(w) > 0 && len(s) >= 3 {
			r += int32(s[0]) * w[0]
			g += int32(s[1]) * w[0]
			b += int32(s[2]) * w[0]
		}
		d := dst[3*i : 3*i+3 : 3*i+3]
		d[0], d[1], d[2] = clamp8(r>>pillowBits), clamp8(g>>pillowBits), clamp8(b>>pillowBits)
	}
}

// resampleColumns makes one row as the weighted sum of the rows from first on.
func resampleColumns(dst []byte, rows *Image, first int, weights, sums []int32) {
	const half = 1 << (pillowBits - 1)
	sums = sums[:len(dst)]
	for i := range sums {
		sums[i] = half
	}
	w := weights
	y := first
	for ; len(w) >= 4; w, y = w[4:], y+4 {
		w0, w1, w2, w3 := w[0], w[1], w[2], w[3]
		a, b, c, d := rows.row(y)[:len(sums)], rows.row(y + 1)[:len(sums)], rows.row(y + 2)[:len(sums)], rows.row(y + 3)[:len(sums)]
		for i := range sums {
			sums[i] += int32(a[i])*w0 + int32(b[i])*w1 + int32(c[i])*w2 + int32(d[i])*w3
		}
	}
	for ; len(w) >= 2; w, y = w[2:], y+2 {
		w0, w1 := w[0], w[1]
		a, b := rows.row(y)[:len(sums)], rows.row(y + 1)[:len(sums)]
		for i := range sums {
			sums[i] += int32(a[i])*w0 + int32(b[i])*w1
		}
	}
	if len(w) > 0 {
		w0 := w[0]
		a := rows.row(y)[:len(sums)]
		for i := range sums {
			sums[i] += int32(a[i]) * w0
		}
	}
	for i, v := range sums {
		dst[i] = clamp8(v >> pillowBits)
	}
}

// pillowNearest takes the source pixel under the centre of each pixel. The
// positions are summed up step by step, as Pillow does, rounding included.
func pillowNearest(dst, src *Image, _ *buffers) {
	columns := nearestSteps(src.Width, dst.Width)
	for y, sy := range nearestSteps(src.Height, dst.Height) {
		if sy >= src.Height {
			continue // rounding went past the end: Pillow leaves it black
		}
		d, s := dst.row(y), src.row(sy)
		for x, sx := range columns {
			if sx < src.Width {
				copy(d[3*x:3*x+3], s[3*sx:3*sx+3])
			}
		}
	}
}

func nearestSteps(in, out int) []int {
	step := float64(in) / float64(out)
	at := step * 0.5
	steps := make([]int, out)
	for i := range steps {
		steps[i] = int(at)
		at += step
	}
	return steps
}
