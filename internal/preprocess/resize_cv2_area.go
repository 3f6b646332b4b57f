package preprocess

import "math"

// wholeRatios tells whether both axes shrink by whole numbers, and by which.
func wholeRatios(dst, src *Image) (x, y int, ok bool) {
	const epsilon = 0x1p-52
	rx, ry := cv2Ratio(src.Width, dst.Width), cv2Ratio(src.Height, dst.Height)
	fx, fy := math.RoundToEven(rx), math.RoundToEven(ry)
	return int(fx), int(fy), math.Abs(rx-fx) < epsilon && math.Abs(ry-fy) < epsilon
}

// cv2Area averages the source pixels under each pixel, weighted by how much of
// them it covers. Where an axis grows OpenCV interpolates linearly instead,
// with weights of its own.
func cv2Area(dst, src *Image, b *buffers) {
	switch x, y, whole := wholeRatios(dst, src); {
	case dst.Width > src.Width || dst.Height > src.Height:
		cv2AreaEnlarged(dst, src, b)
	case whole:
		cv2AreaWhole(dst, src, x, y)
	default:
		cv2AreaReduced(dst, src, b)
	}
}

// cv2AreaWhole averages blocks of x by y pixels.
func cv2AreaWhole(dst, src *Image, x, y int) {
	if x == 2 && y == 2 {
		for dy := range dst.Height {
			d, s, t := dst.row(dy), src.row(2*dy), src.row(2*dy+1)
			for i := 0; i+2 < len(d) && len(s) >= 6 && len(t) >= 6; i += 3 {
				d[i] = byte((int(s[0]) + int(s[3]) + int(t[0]) + int(t[3]) + 2) >> 2)
				d[i+1] = byte((int(s[1]) + int(s[4]) + int(t[1]) + int(t[4]) + 2) >> 2)
				d[i+2] = byte((int(s[2]) + int(s[5]) + int(t[2]) + int(t[5]) + 2) >> 2)
				s, t = s[6:], t[6:]
			}
		}
		return
	}
	scale := 1 / float32(x*y)
	for dy := range dst.Height {
		d := dst.row(dy)
		for dx := range dst.Width {
			var r, g, b int32
			for sy := dy * y; sy < (dy+1)*y; sy++ {
				for s := src.row(sy)[3*dx*x : 3*(dx+1)*x]; len(s) >= 3; s = s[3:] {
					r, g, b = r+int32(s[0]), g+int32(s[1]), b+int32(s[2])
				}
			}
			d[3*dx] = clamp8(roundEven(float32(r) * scale))
			d[3*dx+1] = clamp8(roundEven(float32(g) * scale))
			d[3*dx+2] = clamp8(roundEven(float32(b) * scale))
		}
	}
}

// share is the part that a source element has in an element of the result.
type share struct {
	from, to int
	weight   float32
}

// areaShares lists the shares of an axis, ordered by element of the result.
func areaShares(in, out int) []share {
	const least = 1e-3 // smaller shares are left out
	scale := cv2Ratio(in, out)
	list := make([]share, 0, 2*in)
	for i := range out {
		start := float64(i) * scale
		end := start + scale
		cell := min(scale, float64(in)-start)
		last := min(int(math.Floor(end)), in-1)
		first := min(int(math.Ceil(start)), last)
		if part := float64(first) - start; part > least {
			list = append(list, share{first - 1, i, float32(part / cell)})
		}
		for j := first; j < last; j++ {
			list = append(list, share{j, i, float32(1 / cell)})
		}
		if part := end - float64(last); part > least {
			list = append(list, share{last, i, float32(min(part, 1, cell) / cell)})
		}
	}
	return list
}

// cv2AreaReduced sums the shares in single precision, in OpenCV's order.
func cv2AreaReduced(dst, src *Image, b *buffers) {
	across, down := areaShares(src.Width, dst.Width), areaShares(src.Height, dst.Height)
	width := 3 * dst.Width
	store := grow(&b.floats, 2*width)
	line, sum := store[:width], store[width:]
	for k, t := range down {
		clear(line)
		s := src.row(t.from)
		for _, a := range across {
			d, p := line[3*a.to:][:3:3], s[3*a.from:][:3:3]
			d[0] += float32(float32(p[0]) * a.weight)
			d[1] += float32(float32(p[1]) * a.weight)
			d[2] += float32(float32(p[2]) * a.weight)
		}
		if k == 0 || down[k-1].to != t.to {
			for i, v := range line {
				sum[i] = t.weight * v
			}
		} else {
			for i, v := range line {
				sum[i] += float32(t.weight * v)
			}
		}
		if k == len(down)-1 || down[k+1].to != t.to {
			d := dst.row(t.to)
			for i, v := range sum {
				d[i] = clamp8(roundEven(v))
			}
		}
	}
}

// cv2AreaEnlarged is bilinear interpolation where the fraction is how far the
// end of a pixel reaches into the next source pixel.
func cv2AreaEnlarged(dst, src *Image, b *buffers) {
	axis := func(in, out int, horizontal bool) cv2Axis {
		a := cv2Axis{2, make([]int, out), make([]int32, 2*out)}
		inverse := float64(out) / float64(in)
		scale := cv2Ratio(in, out)
		for i := range a.first {
			at := int(math.Floor(float64(i) * scale))
			f := float32(float64(i+1) - float64(float64(at+1)*inverse))
			if f <= 0 {
				f = 0
			} else {
				f -= float32(math.Floor(float64(f)))
			}
			if horizontal && at >= in-1 {
				at, f = in-1, 0
			}
			a.first[i] = at
			a.set(i, []float32{1 - f, f})
		}
		return a
	}
	cv2Separable(dst, src, axis(src.Width, dst.Width, true), axis(src.Height, dst.Height, false), cv2LinearColumns, b)
}
