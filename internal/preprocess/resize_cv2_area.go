package preprocess

import "math"

// wholeRatios tells whether both axes shrink by whole numbers, and by which.
func wholeRatios(p part, src *Image) (x, y int, ok bool) {
	const epsilon = 0x1p-52
	rx, ry := cv2Ratio(src.Width, p.width), cv2Ratio(src.Height, p.height)
	fx, fy := math.RoundToEven(rx), math.RoundToEven(ry)
	return int(fx), int(fy), math.Abs(rx-fx) < epsilon && math.Abs(ry-fy) < epsilon
}

// cv2Area averages the source pixels under each pixel, weighted by how much of
// them it covers. Where an axis grows OpenCV interpolates linearly instead,
// with weights of its own.
func cv2Area(dst, src *Image, p part, b *buffers) {
	switch x, y, ok := wholeRatios(p, src); {
	case p.width > src.Width || p.height > src.Height:
		cv2AreaEnlarged(dst, src, p, b)
	case ok:
		cv2AreaWhole(dst, src, p, x, y)
	default:
		cv2AreaReduced(dst, src, p, b)
	}
}

// cv2AreaWhole averages blocks of x by y pixels.
func cv2AreaWhole(dst, src *Image, p part, x, y int) {
	c := src.Channels()
	scale := 1 / float32(x*y)
	for dy := range dst.Height {
		d := dst.row(dy)
		for i := range d {
			at := c*x*(p.x0+i/c) + i%c // of the upper left sample
			var sum int32
			for sy := range y {
				s := src.row(y*(p.y0+dy) + sy)[at:]
				for sx := range x {
					sum += int32(s[c*sx])
				}
			}
			if x == 2 && y == 2 {
				d[i] = byte((sum + 2) >> 2)
			} else {
				d[i] = clamp8(roundEven(float32(sum) * scale))
			}
		}
	}
}

// share is the part that a source element has in an element of the result.
type share struct {
	from, to int
	weight   float32
}

// areaShares lists the shares of the elements start..stop of an axis, ordered by
// element; to counts from start.
func areaShares(in, out, start, stop int) []share {
	const least = 1e-3 // smaller shares are left out
	scale := cv2Ratio(in, out)
	list := make([]share, 0, 2*in)
	for i := range stop - start {
		begin := float64(start+i) * scale
		end := begin + scale
		cell := min(scale, float64(in)-begin)
		last := min(int(math.Floor(end)), in-1)
		first := min(int(math.Ceil(begin)), last)
		if part := float64(first) - begin; part > least {
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
func cv2AreaReduced(dst, src *Image, p part, b *buffers) {
	across := areaShares(src.Width, p.width, p.x0, p.x1)
	down := areaShares(src.Height, p.height, p.y0, p.y1)
	c := src.Channels()
	width := c * dst.Width
	store := grow(&b.floats, 2*width)
	line, sum := store[:width], store[width:]
	for k, t := range down {
		clear(line)
		s := src.row(t.from)
		for _, a := range across {
			d, v := line[c*a.to:][:c], s[c*a.from:][:c]
			for i := range d {
				d[i] += float32(float32(v[i]) * a.weight)
			}
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
func cv2AreaEnlarged(dst, src *Image, p part, b *buffers) {
	axis := func(in, out, from, to int, horizontal bool) cv2Axis {
		a := newCV2Axis(2, to-from)
		inverse := float64(out) / float64(in)
		scale := cv2Ratio(in, out)
		for i := range a.first {
			at := int(math.Floor(float64(from+i) * scale))
			f := float32(float64(from+i+1) - float64(float64(at+1)*inverse))
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
	cv2Separable(dst, src, p, axis(src.Width, p.width, p.x0, p.x1, true), axis(src.Height, p.height, p.y0, p.y1, false), cv2LinearColumns, b)
}
