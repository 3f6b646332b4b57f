package kernel

// goRows output channels times goLanes output pixels are kept in registers: as
// many running sums as the compiler holds without spilling, and enough to hide
// the latency of an addition.
const (
	goRows  = 4
	goLanes = 2
)

// gemmGo is the micro-kernel for machines without a better one.
func gemmGo(dst []float32, stride int, add, weights, bias, strips []float32, offsets []int32, relu bool) {
	var c00, c01, c10, c11, c20, c21, c30, c31 float32
	for k, offset := range offsets {
		// Never true, but it spares the compiler's checks of each access.
		if uint(goRows*k+3) >= uint(len(weights)) || uint(offset)+1 >= uint(len(strips)) {
			break
		}
		x0, x1 := strips[uint(offset)], strips[uint(offset)+1]
		w0 := weights[goRows*k]
		c00 += w0 * x0
		c01 += w0 * x1
		w1 := weights[goRows*k+1]
		c10 += w1 * x0
		c11 += w1 * x1
		w2 := weights[goRows*k+2]
		c20 += w2 * x0
		c21 += w2 * x1
		w3 := weights[goRows*k+3]
		c30 += w3 * x0
		c31 += w3 * x1
	}
	for i, sums := range [goRows][goLanes]float32{{c00, c01}, {c10, c11}, {c20, c21}, {c30, c31}} {
		for j, v := range sums {
			v += bias[i]
			if add != nil {
				v += add[i*stride+j]
			}
			if relu {
				v = max(v, 0)
			}
			dst[i*stride+j] = v
		}
	}
}
