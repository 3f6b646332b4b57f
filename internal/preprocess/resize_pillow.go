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
	return func(dst, src *Image, p part, b *buffers) { k.resize(fastLoops, dst, src, p, b) }
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

// tapList is how each element of an axis of the result is made: element i
// weighs the source elements from firsts[i] on with most weights, from
// weights[i*most] on. Elements that need fewer have weights of 0.
type tapList struct {
	firsts  []int
	most    int
	weights []int32
	// wide is the weights again, for two sums in one number; empty if they are
	// too large for that.
	wide []uint64
	// signed tells that some weight is negative.
	signed bool
}

// compute fills the list for the elements from..to of an axis that goes from in
// to out elements.
func (l *tapList) compute(k pillowKernel, in, out, from, to int, scratch *[]float64) {
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := k.support * stretch
	inverse := 1 / stretch
	reach := func(i int) (center float64, first, last int) {
		center = (float64(i) + 0.5) * scale
		return center, max(0, int(center-support+0.5)), min(in, int(center+support+0.5))
	}
	l.most = 0
	for i := from; i < to; i++ {
		_, first, last := reach(i)
		l.most = max(l.most, last-first)
	}
	l.firsts = grow(&l.firsts, to-from)
	l.weights = grow(&l.weights, (to-from)*l.most)
	clear(l.weights)
	exact := grow(scratch, l.most)
	pairs := true
	l.signed = false
	for i := range l.firsts {
		center, first, last := reach(from + i)
		w, sum := exact[:max(0, last-first)], 0.0
		for j := range w {
			w[j] = k.weight((float64(j+first) - center + 0.5) * inverse)
			sum += w[j]
		}
		// At the end of the axis the weights of 0 come first.
		l.firsts[i] = min(first, in-l.most)
		fixed := l.weights[i*l.most+first-l.firsts[i]:]
		var negative, positive int64
		for j, v := range w {
			if sum != 0 {
				v /= sum
			}
			fixed[j] = fixedPoint(v)
			negative += int64(min(fixed[j], 0))
			positive += int64(max(fixed[j], 0))
		}
		// Without a bias no sum may come to 256; with it, the halves must hold it.
		if negative == 0 && 255*positive+resampleHalf >= pairBias || 255*negative < -pairBias || 255*positive > 2*pairBias {
			pairs = false
		}
		l.signed = l.signed || negative < 0
	}
	l.wide = l.wide[:0]
	if pairs {
		l.wide = grow(&l.wide, len(l.weights))
		for i, w := range l.weights {
			l.wide[i] = uint64(int64(w))
		}
	}
}

// pairs tells whether two sums fit in 64 bits.
func (l *tapList) pairs() bool { return len(l.wide) > 0 }

func fixedPoint(v float64) int32 {
	v *= 1 << pillowBits
	if v < 0 {
		return int32(v - 0.5)
	}
	return int32(v + 0.5)
}

// resize runs the passes that are needed: an axis that keeps its size is
// copied, and the first pass leaves out the rows that the second does not read.
func (k pillowKernel) resize(l resampleLoops, dst, src *Image, p part, b *buffers) {
	c := src.Channels()
	wide, high := src.Width != p.width, src.Height != p.height
	if wide {
		b.across.compute(k, src.Width, p.width, p.x0, p.x1, &b.doubles)
	}
	if !high {
		resampleRows(l, dst, src, p.y0, &b.across)
		return
	}
	b.down.compute(k, src.Height, p.height, p.y0, p.y1, &b.doubles)
	if !wide {
		resampleColumns(l, dst, src, c*p.x0, 0, &b.down, b)
		return
	}
	first := b.down.firsts[0]
	n := b.down.firsts[dst.Height-1] + b.down.most - first
	rows := &Image{Width: dst.Width, Height: n, Grey: src.Grey, Pix: grow(&b.bytes, c*dst.Width*n)}
	resampleRows(l, rows, src, first, &b.across)
	resampleColumns(l, dst, rows, 0, first, &b.down, b)
}

// pillowNearest takes the source pixel under the centre of each pixel. The
// positions are summed up step by step, as Pillow does, rounding included.
func pillowNearest(dst, src *Image, p part, _ *buffers) {
	// Where rounding goes past the end Pillow leaves the pixel black.
	clear(dst.Pix)
	c := src.Channels()
	columns := nearestSteps(src.Width, p.width)[p.x0:p.x1]
	for y, sy := range nearestSteps(src.Height, p.height)[p.y0:p.y1] {
		if sy >= src.Height {
			continue
		}
		d, s := dst.row(y), src.row(sy)
		for x, sx := range columns {
			if sx < src.Width {
				copy(d[c*x:c*(x+1)], s[c*sx:])
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
