package preprocess

import "encoding/binary"

// The inner loops of Pillow's resize in plain Go: weighted sums of bytes in fixed
// point. resampleLoops come before them where the machine has such.
//
// The fast ones do two sums at once, in the halves of a 64-bit number: one
// multiplication gives (low + high<<32) * weight. Where weights may be negative
// the sums begin with a bias that keeps them above 0, so that neither half
// borrows from the other in the end; tapList.compute sees to it that they fit.
const (
	resampleHalf = 1 << (pillowBits - 1)
	pairHalf     = resampleHalf | resampleHalf<<32
	// pairBias is 256 in the fixed-point format.
	pairBias = 256 << pillowBits
	// pairMask picks bytes 0 and 4 of eight.
	pairMask = 0xff | 0xff<<32
)

// start is what a pair of sums begins with.
func (l *tapList) start() uint64 {
	if l.signed {
		return pairHalf + (pairBias | pairBias<<32)
	}
	return pairHalf
}

// lower and upper are the samples of a pair of sums that began with a bias.
func lower(v uint64) byte { return clamp8(int32(uint32(v)>>pillowBits) - 256) }
func upper(v uint64) byte { return clamp8(int32(v>>(32+pillowBits)) - 256) }

// resampleRows makes each row of dst from the row of src that lies first
// further down.
func resampleRows(l resampleLoops, dst, src *Image, first int, across *tapList) {
	y := l.groupsOfFour(dst, src, first, across)
	if !src.Grey && across.pairs() {
		n := 3 * src.Width
		// The loop reads a byte past the end of a row, which the last one of
		// the image lacks.
		for ; y+1 < dst.Height && n*(first+y+2) < len(src.Pix); y += 2 {
			at := n * (first + y)
			resampleTwoRows(dst.row(y), dst.row(y+1), src.Pix[at:at+n+1], src.Pix[at+n:at+2*n+1], across)
		}
	}
	for ; y < dst.Height; y++ {
		if src.Grey {
			resampleGreyRow(dst.row(y), src.row(first+y), across)
		} else {
			resampleRow(dst.row(y), src.row(first+y), across, 0)
		}
	}
}

// resampleTwoRows makes two rows of RGB pixels from two others, each of which
// has a byte more than its pixels. The usual numbers of weights are unrolled.
func resampleTwoRows(d0, d1, s0, s1 []byte, across *tapList) {
	n := across.most
	switch {
	case across.signed:
		start := across.start()
		for i, first := range across.firsts {
			red, green, blue := sumPairs(s0[3*first:], s1[3*first:], across.wide[n*i:][:n], start)
			p, q := d0[3*i:][:3:3], d1[3*i:][:3:3]
			p[0], p[1], p[2] = lower(red), lower(green), lower(blue)
			q[0], q[1], q[2] = upper(red), upper(green), upper(blue)
		}
	case n == 2:
		for i, first := range across.firsts {
			w := across.wide[2*i:][:2:2]
			a, b := s0[3*first:][:7:7], s1[3*first:][:7:7]
			u, v := pairOf(a, b), pairOf(a[3:], b[3:])
			putPairs(d0[3*i:], d1[3*i:],
				pairHalf+u&pairMask*w[0]+v&pairMask*w[1],
				pairHalf+u>>8&pairMask*w[0]+v>>8&pairMask*w[1],
				pairHalf+u>>16&pairMask*w[0]+v>>16&pairMask*w[1])
		}
	case n == 3:
		for i, first := range across.firsts {
			w := across.wide[3*i:][:3:3]
			a, b := s0[3*first:][:10:10], s1[3*first:][:10:10]
			u, v, x := pairOf(a, b), pairOf(a[3:], b[3:]), pairOf(a[6:], b[6:])
			putPairs(d0[3*i:], d1[3*i:],
				pairHalf+u&pairMask*w[0]+v&pairMask*w[1]+x&pairMask*w[2],
				pairHalf+u>>8&pairMask*w[0]+v>>8&pairMask*w[1]+x>>8&pairMask*w[2],
				pairHalf+u>>16&pairMask*w[0]+v>>16&pairMask*w[1]+x>>16&pairMask*w[2])
		}
	default:
		for i, first := range across.firsts {
			red, green, blue := sumPairs(s0[3*first:], s1[3*first:], across.wide[n*i:][:n], pairHalf)
			putPairs(d0[3*i:], d1[3*i:], red, green, blue)
		}
	}
}

// sumPairs sums the pixels of two rows up.
func sumPairs(a, b []byte, weights []uint64, start uint64) (red, green, blue uint64) {
	red, green, blue = start, start, start
	for j, w := range weights {
		v := pairOf(a[3*j:], b[3*j:])
		red += v & pairMask * w
		green += v >> 8 & pairMask * w
		blue += v >> 16 & pairMask * w
	}
	return red, green, blue
}

// pairOf puts the first four bytes of a and of b side by side.
func pairOf(a, b []byte) uint64 {
	return uint64(binary.LittleEndian.Uint32(a)) | uint64(binary.LittleEndian.Uint32(b))<<32
}

// putPairs stores a pixel of each of two rows.
func putPairs(d0, d1 []byte, red, green, blue uint64) {
	p, q := d0[:3:3], d1[:3:3]
	p[0], p[1], p[2] = byte(red>>pillowBits), byte(green>>pillowBits), byte(blue>>pillowBits)
	q[0], q[1], q[2] = byte(red>>(32+pillowBits)), byte(green>>(32+pillowBits)), byte(blue>>(32+pillowBits))
}

// resampleRow makes one row of RGB pixels from another, from pixel from on.
func resampleRow(dst, src []byte, across *tapList, from int) {
	n := across.most
	for i := from; i < len(across.firsts); i++ {
		s := src[3*across.firsts[i]:]
		r, g, b := int32(resampleHalf), int32(resampleHalf), int32(resampleHalf)
		for _, w := range across.weights[n*i:][:n] {
			if len(s) < 3 {
				break
			}
			r += int32(s[0]) * w
			g += int32(s[1]) * w
			b += int32(s[2]) * w
			s = s[3:]
		}
		d := dst[3*i:][:3:3]
		d[0], d[1], d[2] = clamp8(r>>pillowBits), clamp8(g>>pillowBits), clamp8(b>>pillowBits)
	}
}

func resampleGreyRow(dst, src []byte, across *tapList) {
	n := across.most
	for i, first := range across.firsts {
		sum := int32(resampleHalf)
		for j, w := range across.weights[n*i:][:n] {
			sum += int32(src[first+j]) * w
		}
		dst[i] = clamp8(sum >> pillowBits)
	}
}

// resampleColumns makes each row of dst as a weighted sum of rows of src, in
// which it starts at byte left. Row 0 of src is row first of what down counts.
func resampleColumns(l resampleLoops, dst, src *Image, left, first int, down *tapList, b *buffers) {
	n := src.Channels() * src.Width
	for y, at := range down.firsts {
		d := dst.row(y)
		s := src.Pix[n*(at-first)+left:]
		weights := down.weights[y*down.most:][:down.most]
		if l.tryColumn(d, s, n, weights) {
			continue
		}
		done := 0
		if down.pairs() {
			done = resampleBlocks(d, s, n, down.wide[y*down.most:][:down.most], down.signed, down.start())
		}
		resampleColumn(d[done:], s[done:], n, weights, b)
	}
}

// resampleBlocks makes a row eight samples at a time, and tells how many it made.
// The rows of src begin stride bytes apart.
func resampleBlocks(dst, src []byte, stride int, weights []uint64, signed bool, start uint64) int {
	i := 0
	for ; i+8 <= len(dst); i += 8 {
		// The sums of samples 0 and 4, 1 and 5, 2 and 6, 3 and 7.
		s04, s15, s26, s37 := start, start, start, start
		at := i
		for _, w := range weights {
			v := binary.LittleEndian.Uint64(src[at:])
			at += stride
			s04 += v & pairMask * w
			s15 += v >> 8 & pairMask * w
			s26 += v >> 16 & pairMask * w
			s37 += v >> 24 & pairMask * w
		}
		if signed {
			d := dst[i:][:8:8]
			d[0], d[1], d[2], d[3] = lower(s04), lower(s15), lower(s26), lower(s37)
			d[4], d[5], d[6], d[7] = upper(s04), upper(s15), upper(s26), upper(s37)
			continue
		}
		binary.LittleEndian.PutUint64(dst[i:], s04>>pillowBits&pairMask|s15>>pillowBits&pairMask<<8|
			s26>>pillowBits&pairMask<<16|s37>>pillowBits&pairMask<<24)
	}
	return i
}

// resampleColumn makes the samples of a row in plain arithmetic.
func resampleColumn(dst, src []byte, stride int, weights []int32, b *buffers) {
	sums := grow(&b.ints, len(dst))
	for i := range sums {
		sums[i] = resampleHalf
	}
	for j, w := range weights {
		for i, v := range src[j*stride:][:len(sums)] {
			sums[i] += int32(v) * w
		}
	}
	for i, v := range sums {
		dst[i] = clamp8(v >> pillowBits)
	}
}
