package preprocess

// resampleLoops are inner loops of Pillow's resize in vector instructions. One
// that is nil is missing: plain Go does its work, with the same result. They
// trust the lengths of their slices, and touch nothing outside.
type resampleLoops struct {
	// column makes a row as a weighted sum of rows of src, which begin stride
	// bytes apart:
	//
	//	for i := range dst {
	//		sum := int32(resampleHalf)
	//		for j, w := range weights {
	//			sum += int32(src[j*stride+i]) * w
	//		}
	//		dst[i] = clamp8(sum >> pillowBits)
	//	}
	//
	// dst has at least columnSamples, weights at least one.
	column func(dst, src []byte, stride int, weights []int32)
	// fourRows makes a pixel in each of four rows, for each of firsts:
	//
	//	for i, first := range firsts {
	//		for y := range 4 {
	//			for c := range 4 {
	//				sum := int32(resampleHalf)
	//				for j := range taps {
	//					sum += int32(src[y*srcStride+3*(first+j)+c]) * weights[i*taps+j]
	//				}
	//				dst[y*dstStride+3*i+c] = clamp8(sum >> pillowBits)
	//			}
	//		}
	//	}
	//
	// A pixel has three bytes, but four are read and written; taps is at least 1.
	fourRows func(dst []byte, dstStride int, src []byte, srcStride int, firsts []int, weights []int32, taps int)
}

// columnSamples is the shortest row that resampleLoops.column makes.
const columnSamples = 32

// fastLoops are the best of this machine.
var fastLoops = vectorLoops()

// groupsOfFour makes four rows of RGB pixels at a time, as resampleRows does, and
// tells how many rows it made.
func (l resampleLoops) groupsOfFour(dst, src *Image, first int, across *tapList) int {
	if l.fourRows == nil || src.Grey || across.most < 1 {
		return 0
	}
	n, m := 3*src.Width, 3*dst.Width
	last := dst.Width - 1
	y := 0
	// The byte after the fourth row is read too.
	for ; y+4 <= dst.Height && n*(first+y+4) < len(src.Pix); y += 4 {
		at := n * (first + y)
		// The fourth byte of a row's last pixel is the next row's: plain Go
		// makes that pixel.
		l.fourRows(dst.Pix[m*y:m*(y+4)], m, src.Pix[at:at+4*n+1], n, across.firsts[:last], across.weights, across.most)
		for i := y; i < y+4; i++ {
			resampleRow(dst.row(i), src.row(first+i), across, last)
		}
	}
	return y
}

// tryColumn makes a row with column, and tells whether it could.
func (l resampleLoops) tryColumn(dst, src []byte, stride int, weights []int32) bool {
	if l.column == nil || len(dst) < columnSamples || len(weights) < 1 {
		return false
	}
	l.column(dst, src[:(len(weights)-1)*stride+len(dst)], stride, weights)
	return true
}
