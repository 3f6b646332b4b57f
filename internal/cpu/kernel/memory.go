package kernel

import "unsafe"

// AlignedFloats allocates n zeros at the start of a cache line, so that no cell
// lies in two.
func AlignedFloats(n int) []float32 {
	s := make([]float32, n+Lanes-1)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s)))&(cellBytes-1)) / floatBytes
	return s[skip:][:n:n]
}

// hugePage is the bytes of a large page, of x86-64 and mostly of ARM.
const hugePage = 2 << 20

// memory is that of a convolution's packed weights.
//
// A network's weights are up to 2 GB. The page faults that hand out so much memory,
// 4 KB at a time as it is written, take longer than all other work of packing:
// hence large pages, where there are any, and Populate. Outside of Go's heap the
// memory is always new, and Release gives it back at once.
type memory struct {
	weights []float32
	mapped  []byte // what they are in, unless that is Go's memory
}

// newMemory gives memory for n weights, zeros at the start of a cache line.
func newMemory(n int) memory {
	if size := n * floatBytes; size >= hugePage {
		if b := mapMemory(size + hugePage); b != nil {
			skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (hugePage - 1))
			adviseHugePages(b[skip:][:size/hugePage*hugePage])
			return memory{unsafe.Slice((*float32)(unsafe.Pointer(&b[skip])), n), b}
		}
	}
	return memory{weights: AlignedFloats(n)}
}

// Pieces is the number of pieces that Populate takes.
func (m *memory) Pieces() int { return ceilDiv(len(m.weights)*floatBytes, hugePage) }

// Populate makes a piece of the weights' memory ready to be packed into. It may be
// left out; pieces may be populated at the same time, and while others are packed
// into.
func (m *memory) Populate(piece int) {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(m.weights))), len(m.weights)*floatBytes)
	populate(b, piece*hugePage, min((piece+1)*hugePage, len(b)))
}

// Release gives the weights' memory back. The convolution can't run any more.
func (m *memory) Release() {
	if m.mapped != nil {
		unmapMemory(m.mapped)
	}
	*m = memory{}
}
