package kernel

// microKernel is the inner loop of a convolution for a register tile of rows
// output channels times as many output pixels as its vectors hold:
//
//	for i := range rows {
//		for j := range pixels {
//			var sum float32
//			for k, offset := range offsets {
//				sum += weights[k*rows+i] * strips[int(offset)+j]
//			}
//			sum += bias[i]
//			if add != nil {
//				sum += add[i*stride+j]
//			}
//			if relu {
//				sum = max(sum, 0)
//			}
//			dst[i*stride+j] = sum
//		}
//	}
//
// It writes and reads no more than that, and trusts the lengths of its slices.
// dst and add may be the same.
type microKernel func(dst []float32, stride int, add, weights, bias, strips []float32, offsets []int32, relu bool)

// stripBlock gathers 16 columns of a strip at its stride, 1 or 2:
//
//	for y := range rows {
//		for x := range 16 {
//			switch {
//			case store>>x&1 == 0:
//			case load>>x&1 == 0:
//				dst[y*dstStride+x] = 0
//			default:
//				dst[y*dstStride+x] = src[at+y*srcStride+stride*x]
//			}
//		}
//	}
//
// at may be negative. It writes and reads no more than that.
type stripBlock func(dst []float32, dstStride int, src []float32, at, srcStride, rows int, load, store uint16)

// Variant is an implementation of the inner loops for one instruction set.
// Variants differ in rounding (with and without fused multiply-add); each gives
// the same bits however work is divided.
type Variant struct {
	name string
	// rows is the output channels of a register tile, and of a panel of weights.
	rows int
	// lanes is the pixels of a vector.
	lanes int
	// gemm holds the micro-kernels for 1, 2, ... vectors of pixels.
	gemm []microKernel
	// strip gathers at strides 1 and 2; both are nil where there is none.
	strip [2]stripBlock
	// The loops of the methods of the same names, and of Linear. Slices have
	// the same length.
	scaleShiftAdd func(dst, src []float32, scale, shift float32, relu bool)
	scaleReLU     func(x []float32, scale float32)
	dot           func(a, b []float32) float32
}

// variants are those that this machine can run, the fastest first. The plain
// one is always there.
var variants = append(vectorVariants(), &Variant{
	name: "go", rows: goRows, lanes: goLanes,
	gemm:          []microKernel{gemmGo},
	scaleShiftAdd: scaleShiftAddGo, scaleReLU: scaleReLUGo, dot: dotGo,
})

// Variants are the implementations that this machine can run, the fastest
// first. NewConv takes the first.
func Variants() []*Variant { return append([]*Variant(nil), variants...) }

// String is the name of the instruction set, or "go".
func (v *Variant) String() string { return v.name }

// pixels is the width of the largest register tile.
func (v *Variant) pixels() int { return v.lanes * len(v.gemm) }

// stripBlock is nil if there is none for a stride.
func (v *Variant) stripBlock(stride int) stripBlock {
	if stride > len(v.strip) {
		return nil
	}
	return v.strip[stride-1]
}
