package preprocess

import (
	"math"
)

// OpenCV's resize of 8-bit images (cv2.resize of 4.6). Unlike Pillow's it does
// not antialias: nearest, linear, cubic and Lanczos interpolation read a fixed
// number of neighbours. Weights are fixed point numbers of cv2Bits bits.
const (
	cv2Bits  = 11
	cv2Scale = 1 << cv2Bits
)

func cv2Filter(interpolation string) resizeFunc {
	switch interpolation {
	case "nearest":
		return cv2Nearest
	case "bilinear":
		return cv2Linear
	case "area":
		return cv2Area
	case "bicubic":
		return cv2Kernel{4, cv2CubicWeights, cv2CubicColumns}.resize
	case "lanczos":
		return cv2Kernel{8, cv2LanczosWeights, cv2LanczosColumns}.resize
	}
	return nil
}

// cv2Nearest takes the pixel that the upper left corner of each pixel falls in.
func cv2Nearest(dst, src *Image, p part, _ *buffers) {
	c := src.Channels()
	columns := make([]int, dst.Width)
	scale := cv2Ratio(src.Width, p.width)
	for x := range columns {
		columns[x] = min(int(float64(p.x0+x)*scale), src.Width-1)
	}
	scale = cv2Ratio(src.Height, p.height)
	for y := range dst.Height {
		d, s := dst.row(y), src.row(min(int(float64(p.y0+y)*scale), src.Height-1))
		for x, sx := range columns {
			copy(d[c*x:c*(x+1)], s[c*sx:])
		}
	}
}

// cv2Ratio is in/out with the rounding of OpenCV, which computes the inverse first.
func cv2Ratio(in, out int) float64 {
	return 1 / (float64(out) / float64(in))
}

// cv2Axis is where along an axis the neighbours of each element of the result
// begin, and their weights: n for each, one element after the other. first may
// lie outside of the source; the neighbours are then those at the border.
type cv2Axis struct {
	n       int
	first   []int
	weights []int32
}

func newCV2Axis(n, length int) cv2Axis {
	return cv2Axis{n, make([]int, length), make([]int32, n*length)}
}

// cv2Kernel is an interpolation from n x n neighbours.
type cv2Kernel struct {
	n       int
	weights func(fraction float32, w []float32)
	columns cv2Columns
}

// cv2Columns blends rows of sums into a row of samples. vector is how many of
// them OpenCV does with its vector code, which may round in another way.
type cv2Columns func(dst []byte, rows [][]int32, w []int32, vector int)

func (k cv2Kernel) resize(dst, src *Image, p part, b *buffers) {
	axis := func(in, out, from, to int) cv2Axis {
		a := newCV2Axis(k.n, to-from)
		scale := cv2Ratio(in, out)
		w := make([]float32, k.n)
		for i := range a.first {
			at, fraction := cv2Position(from+i, scale)
			a.first[i] = at - k.n/2 + 1
			k.weights(fraction, w)
			a.set(i, w)
		}
		return a
	}
	cv2Separable(dst, src, p, axis(src.Width, p.width, p.x0, p.x1), axis(src.Height, p.height, p.y0, p.y1), k.columns, b)
}

// cv2Position is the source position of the centre of element i, as a whole
// and a single-precision fractional part.
func cv2Position(i int, scale float64) (int, float32) {
	f := float32(float64((float64(i)+0.5)*scale) - 0.5)
	at := math.Floor(float64(f))
	return int(at), f - float32(at)
}

// set stores the weights of element i as fixed point numbers.
func (a *cv2Axis) set(i int, w []float32) {
	for j, v := range w {
		// Rounded to even, saturated to 16 bits.
		r := math.RoundToEven(float64(v * cv2Scale))
		a.weights[i*a.n+j] = int32(min(max(r, math.MinInt16), math.MaxInt16))
	}
}

// cv2Separable interpolates along the rows into 32-bit sums, and those along
// the columns. Of the rows of sums it keeps the last few, for rows of the
// result that share them.
func cv2Separable(dst, src *Image, p part, across, down cv2Axis, columns cv2Columns, b *buffers) {
	c := src.Channels()
	n, width := down.n, c*dst.Width
	// The vector code does eight samples at a time, from the start of the row.
	vector := min(max((c*p.width)&^7-c*p.x0, 0), width)
	store := grow(&b.ints, n*width)
	// Row y of the source is kept in slot y%n: neighbours are consecutive.
	kept := make([]int, n)
	for i := range kept {
		kept[i] = -1
	}
	offsets := cv2Offsets(across, src.Width, c)
	rows := make([][]int32, n)
	for y := range dst.Height {
		for j := range rows {
			sy := min(max(down.first[y]+j, 0), src.Height-1)
			slot := sy % n
			rows[j] = store[slot*width:][:width]
			if kept[slot] != sy {
				kept[slot] = sy
				cv2Row(rows[j], src.row(sy), across, offsets, c)
			}
		}
		columns(dst.row(y), rows, down.weights[y*n:][:n], vector)
	}
}

// cv2Offsets lists the byte offset of each neighbour in a row, moved inside.
func cv2Offsets(a cv2Axis, width, channels int) []int32 {
	offsets := make([]int32, len(a.weights))
	for i, first := range a.first {
		for j := range a.n {
			offsets[i*a.n+j] = int32(channels * min(max(first+j, 0), width-1))
		}
	}
	return offsets
}

// cv2Row interpolates along one row.
func cv2Row(dst []int32, src []byte, a cv2Axis, offsets []int32, channels int) {
	if a.n == 2 && channels == 3 {
		cv2RowLinear(dst, src, a.weights, offsets)
		return
	}
	for i := range a.first {
		w := a.weights[i*a.n:][:a.n]
		o := offsets[i*a.n:][:len(w)]
		d := dst[channels*i:][:channels]
		for c := range d {
			var sum int32
			for j, v := range w {
				sum += int32(src[int(o[j])+c]) * v
			}
			d[c] = sum
		}
	}
}

func cv2RowLinear(dst []int32, src []byte, weights, offsets []int32) {
	for ; len(dst) >= 3 && len(weights) >= 2 && len(offsets) >= 2; dst, weights, offsets = dst[3:], weights[2:], offsets[2:] {
		w0, w1 := weights[0], weights[1]
		s, t := src[offsets[0]:][:3:3], src[offsets[1]:][:3:3]
		dst[0] = int32(s[0])*w0 + int32(t[0])*w1
		dst[1] = int32(s[1])*w0 + int32(t[1])*w1
		dst[2] = int32(s[2])*w0 + int32(t[2])*w1
	}
}

// cv2Linear is bilinear interpolation. Reducing both axes to exactly a half it
// is the mean of four pixels, as in OpenCV.
func cv2Linear(dst, src *Image, p part, b *buffers) {
	if sx, sy, ok := wholeRatios(p, src); ok && sx == 2 && sy == 2 {
		cv2AreaWhole(dst, src, p, 2, 2)
		return
	}
	axis := func(in, out, from, to int, horizontal bool) cv2Axis {
		a := newCV2Axis(2, to-from)
		scale := cv2Ratio(in, out)
		for i := range a.first {
			at, f := cv2Position(from+i, scale)
			// Past the ends of a row the weight goes to one pixel. Columns
			// keep two weights there, of which each is rounded down.
			if horizontal && (at < 0 || at >= in-1) {
				at, f = min(max(at, 0), in-1), 0
			}
			a.first[i] = at
			a.set(i, []float32{1 - f, f})
		}
		return a
	}
	cv2Separable(dst, src, p, axis(src.Width, p.width, p.x0, p.x1, true), axis(src.Height, p.height, p.y0, p.y1, false), cv2LinearColumns, b)
}

// cv2LinearColumns blends two rows of sums. The truncations are those of
// OpenCV's vector code (a 16-bit high multiply), which its scalar code repeats.
func cv2LinearColumns(dst []byte, rows [][]int32, w []int32, _ int) {
	s, t := rows[0][:len(dst)], rows[1][:len(dst)]
	w0, w1 := w[0], w[1]
	for i := range dst {
		dst[i] = byte(((w0*(s[i]>>4))>>16 + (w1*(t[i]>>4))>>16 + 2) >> 2)
	}
}

// cv2CubicWeights is the cubic convolution with A = -0.75, in single precision.
func cv2CubicWeights(x float32, w []float32) {
	const a = -0.75
	far, back := x+1, 1-x
	w[0] = float32((float32((float32(a*far)-5*a)*far)+8*a)*far) - 4*a
	w[1] = float32((float32((a+2)*x)-(a+3))*x*x) + 1
	w[2] = float32((float32((a+2)*back)-(a+3))*back*back) + 1
	w[3] = 1 - w[0] - w[1] - w[2]
}

// cv2CubicColumns blends four rows of sums. OpenCV's vector code for x86-64
// and arm64 does this in single precision and rounds to even; the rest of a row is
// done in fixed point and rounded up.
func cv2CubicColumns(dst []byte, rows [][]int32, w []int32, vector int) {
	const scale = 1.0 / (cv2Scale * cv2Scale)
	n := len(dst)
	s0, s1, s2, s3 := rows[0][:n], rows[1][:n], rows[2][:n], rows[3][:n]
	b0, b1, b2, b3 := float32(w[0])*scale, float32(w[1])*scale, float32(w[2])*scale, float32(w[3])*scale
	i := 0
	for ; i < vector; i++ {
		v := float32(float32(s3[i]) * b3)
		v = float32(float32(s2[i])*b2) + v
		v = float32(float32(s1[i])*b1) + v
		v = float32(float32(s0[i])*b0) + v
		dst[i] = clamp8(roundEven(v))
	}
	for ; i < n; i++ {
		dst[i] = cv2Clamp(s0[i]*w[0] + s1[i]*w[1] + s2[i]*w[2] + s3[i]*w[3])
	}
}

// roundEven rounds to the nearest integer, ties to even; |v| is below 2^22.
func roundEven(v float32) int32 {
	const magic = 3 << 22
	return int32(float32(v+magic) - magic)
}

func cv2Clamp(sum int32) byte {
	return clamp8((sum + 1<<(2*cv2Bits-1)) >> (2 * cv2Bits))
}

// cv2LanczosWeights is OpenCV's form of the Lanczos kernel over eight
// neighbours, normalised in single precision.
func cv2LanczosWeights(x float32, w []float32) {
	const s45 = 0.70710678118654752440084436210485
	phases := [8][2]float64{{1, 0}, {-s45, -s45}, {0, 1}, {s45, -s45}, {-1, 0}, {s45, s45}, {0, -1}, {-s45, s45}}
	y0 := -float64(x+3) * math.Pi * 0.25
	sin, cos := math.Sincos(y0)
	var sum float32
	for i := range w {
		d := x + 3 - float32(i)
		if math.Abs(float64(d)) >= 1e-6 {
			y := -float64(d) * math.Pi * 0.25
			w[i] = float32((float64(phases[i][0]*sin) + float64(phases[i][1]*cos)) / (y * y))
		} else {
			w[i] = 1e30 // takes all of the weight
		}
		sum += w[i]
	}
	sum = 1 / sum
	for i := range w {
		w[i] *= sum
	}
}

func cv2LanczosColumns(dst []byte, rows [][]int32, w []int32, _ int) {
	for i := range dst {
		var sum int32
		for j, r := range rows {
			sum += r[i] * w[j]
		}
		dst[i] = cv2Clamp(sum)
	}
}
