package kernel

// gather writes the patches of the output pixels [p0, p1): for each panel of nr
// pixels, a row of nr values for each product of the sum. What a last panel
// lacks in pixels repeats its last one; nobody reads those results.
func (c *Conv) gather(dst [][nr]float32, src []float32, h, w, group, p0, p1 int) {
	_, ow := c.OutSize(h, w)
	channels, depth := c.In/c.Groups, c.depth()
	src = src[group*channels*h*w:][:channels*h*w]
	for p := p0; p < p1; p += nr {
		rows := dst[(p-p0)/nr*depth:][:depth]
		for lane := range nr {
			pixel := min(p+lane, p1-1)
			y, x := pixel/ow*c.Stride-c.Pad, pixel%ow*c.Stride-c.Pad
			c.patch(rows, lane, src, h, w, y, x)
		}
	}
}

// patch writes one lane: the patch whose first element is at row y, column x of
// each channel of src, either of which may lie outside.
func (c *Conv) patch(rows [][nr]float32, lane int, src []float32, h, w, y, x int) {
	reach := c.Dilation * (c.Kernel - 1)
	inside := y >= 0 && x >= 0 && y+reach < h && x+reach < w
	switch {
	case inside && c.Kernel == 1:
		patch1x1(rows, lane, src[y*w+x:], h*w)
	case inside && c.Kernel == 3:
		patch3x3(rows, lane, src[y*w+x:], h*w, w, c.Dilation)
	default:
		c.patchBorder(rows, lane, src, h, w, y, x)
	}
}

func patch1x1(rows [][nr]float32, lane int, src []float32, plane int) {
	lane &= nr - 1 // tells the compiler its range; nr is a power of two
	for k := range rows {
		rows[k][lane] = src[k*plane]
	}
}

func patch3x3(rows [][nr]float32, lane int, src []float32, plane, w, dilation int) {
	lane &= nr - 1 // tells the compiler its range; nr is a power of two
	for at := 0; len(rows) >= 9; at += plane {
		r := rows[:9]
		for i := 0; i < 9; i += 3 {
			s := src[at+i/3*dilation*w:][:2*dilation+1]
			r[i][lane], r[i+1][lane], r[i+2][lane] = s[0], s[dilation], s[2*dilation]
		}
		rows = rows[9:]
	}
}

// patchBorder is the general case, with zeros for what lies outside.
func (c *Conv) patchBorder(rows [][nr]float32, lane int, src []float32, h, w, y, x int) {
	k := 0
	for channel := 0; k < len(rows); channel++ {
		plane := src[channel*h*w:][:h*w]
		for i := range c.Kernel {
			iy := y + i*c.Dilation
			for j := range c.Kernel {
				ix := x + j*c.Dilation
				var v float32
				if uint(iy) < uint(h) && uint(ix) < uint(w) {
					v = plane[iy*w+ix]
				}
				rows[k][lane] = v
				k++
			}
		}
	}
}
