package kernel

import "unsafe"

// hugePage is the bytes of a large page, of x86-64 and mostly of ARM.
const hugePage = 2 << 20

// memory is that of a convolution's packed weights.
//
// A network's weights are up to 2 GB. The page faults that hand out so much memory,
// 4 KB at a time as it is written, take longer than all other work of packing:
// hence large pages, where there are any, and Populate. Outside of Go's heap the
// memory is always new, and Release gives it back at once.
type memory struct {
	weights []byte
	mapped  []byte // what they are in, unless that is Go's memory
}

// newMemory is n zeros at the start of a cache line.
func newMemory(n int) memory {
	if n >= hugePage {
		if b := mapMemory(n + hugePage); b != nil {
			skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (hugePage - 1))
			m := memory{b[skip:][:n:n], b}
			adviseHugePages(m.weights[:n/hugePage*hugePage])
			return m
		}
	}
	return memory{weights: alignedBytes(n)}
}

// Pieces is the number of pieces that Populate takes.
func (m *memory) Pieces() int { return ceilDiv(len(m.weights), hugePage) }

// Populate makes a piece of the weights' memory ready to be packed into. It may be
// left out; pieces may be populated at the same time, and while others are packed
// into.
func (m *memory) Populate(piece int) {
	populate(m.weights, piece*hugePage, min((piece+1)*hugePage, len(m.weights)))
}

// Release gives the weights' memory back. The convolution can't run any more.
func (m *memory) Release() {
	if m.mapped != nil {
		unmapMemory(m.mapped)
	}
	*m = memory{}
}
