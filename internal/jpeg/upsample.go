package jpeg

// upsampler brings a plane of chroma to the resolution of the image, row by row,
// as libjpeg-turbo 2.1 does. Along an axis of half the resolution each sample
// becomes two, weighted 3:1 with the nearer neighbour (a triangle filter); at the
// borders of the image the sample stands for its missing neighbour. Other ratios,
// and halved rows of up to two samples, repeat the sample.
type upsampler struct {
	plane         []byte
	stride        int
	dx, dy        int    // image samples for a plane sample
	width, height int    // of the plane, without what pads it to whole blocks
	sums          []int  // a row in between two of the plane, times 4
	out           []byte // a row of the image, which it may exceed by dx-1 samples
}

// mixesRows tells whether the row of the plane below is needed too.
func (u *upsampler) mixesRows() bool {
	return u.dy == 2 && (u.dx == 1 || u.dx == 2 && u.width > 2)
}

// row gives row y of the image, valid until the next call.
func (u *upsampler) row(y int) []byte {
	src := u.source(y / u.dy)
	if u.dx == 1 && u.dy != 2 {
		return src
	}
	if u.out == nil {
		u.sums, u.out = make([]int, u.width), make([]byte, u.width*u.dx)
	}
	switch {
	case u.dx == 1 && u.dy == 2:
		u.betweenRows(src, u.neighbour(y), 1+y%2)
	case u.dx == 2 && u.width > 2 && u.dy == 1:
		u.betweenColumns(src)
	case u.dx == 2 && u.width > 2 && u.dy == 2:
		u.betweenBoth(src, u.neighbour(y))
	default:
		for x, v := range src {
			for i := range u.dx {
				u.out[u.dx*x+i] = v
			}
		}
	}
	return u.out
}

func (u *upsampler) source(y int) []byte {
	return u.plane[u.stride*y:][:u.width]
}

// neighbour is the plane's second nearest row to row y of an image of twice its
// height.
func (u *upsampler) neighbour(y int) []byte {
	if y%2 == 0 {
		return u.source(max(y/2-1, 0))
	}
	return u.source(min(y/2+1, u.height-1))
}

// betweenRows is libjpeg's h1v2. bias alternates, so that halves are rounded down
// and up in turn.
func (u *upsampler) betweenRows(near, far []byte, bias int) {
	out := u.out[:len(near)]
	far = far[:len(near)]
	for x, v := range near {
		out[x] = byte((3*int(v) + int(far[x]) + bias) >> 2)
	}
}

// betweenColumns is libjpeg's h2v1, of at least two samples.
func (u *upsampler) betweenColumns(src []byte) {
	out := u.out
	last, this := int(src[0]), int(src[0])
	for x, v := range src[1:] {
		next := int(v)
		d := out[2*x : 2*x+2 : 2*x+2]
		d[0] = byte((3*this + last + 1) >> 2)
		d[1] = byte((3*this + next + 2) >> 2)
		last, this = this, next
	}
	end := out[len(out)-2:]
	end[0] = byte((3*this + last + 1) >> 2)
	end[1] = byte(this)
}

// betweenBoth is libjpeg's h2v2, of at least two samples. Both axes are rounded
// in one step.
func (u *upsampler) betweenBoth(near, far []byte) {
	out, sums := u.out, u.sums[:len(near)]
	far = far[:len(near)]
	for x, v := range near {
		sums[x] = 3*int(v) + int(far[x])
	}
	last, this := sums[0], sums[0]
	for x, next := range sums[1:] {
		d := out[2*x : 2*x+2 : 2*x+2]
		d[0] = byte((3*this + last + 8) >> 4)
		d[1] = byte((3*this + next + 7) >> 4)
		last, this = this, next
	}
	end := out[len(out)-2:]
	end[0] = byte((3*this + last + 8) >> 4)
	end[1] = byte((4*this + 7) >> 4)
}
