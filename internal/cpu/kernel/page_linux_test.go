package kernel

import (
	"math/rand/v2"
	"repvgg/internal/model"
	"syscall"
	"testing"
	"unsafe"
)

// atPageEnd gives n values that end where an unreadable page begins.
func atPageEnd(t *testing.T, n int) []float32 {
	t.Helper()
	page := syscall.Getpagesize()
	size := ceilDiv(n*wordBytes, page) * page
	m, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skipf("mapping memory: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mprotect(m[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&m[size-n*wordBytes])), n)
}

// TestAtPageEnds faults if a kernel touches what lies behind its maps: the
// halos that it asks for are all that it may read, and dst has none.
func TestAtPageEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	move := func(m *Maps) *Maps {
		moved := mapsOf(m.Layout, atPageEnd(t, len(m.data)/wordBytes))
		copy(moved.data, m.data)
		return moved
	}
	for _, s := range []model.Conv{
		{In: 20, Out: 52, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
		{In: 16, Out: 16, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
		{In: 18, Out: 36, KernelH: 3, KernelW: 3, Stride: 1, PadH: 2, PadW: 2, Dilation: 2, Groups: 18},
		{In: 3, Out: 7, KernelH: 1, KernelW: 1, Stride: 3, Dilation: 1, Groups: 1},
	} {
		for _, size := range [][2]int{{1, 1}, {5, 6}, {14, 8}, {9, 15}, {4, 31}} {
			p := newProblem(s, 2, size[0], size[1], 1)
			var scratch Scratch
			for _, v := range Variants() {
				run := func(c convolution, src *Maps) {
					dst, _ := p.outputs(p.n)
					c.Run(move(dst), move(src), p.n, p.epilogue(false, true), Share{0, 1, &scratch})
				}
				for _, c := range p.algorithms(t, v) {
					run(c, p.input(v, c))
				}
				planar := packed(v.NewConv(s, Format{Planar: true}))(t, p.weight)
				run(planar, p.source(planar.in, planar.Halo))
			}
		}
	}
	for _, v := range Variants() {
		for n := 1; n < 20; n++ {
			values, _ := randomFloats(rng, n*Lanes, 1)
			at := func(n int) []float32 {
				x := atPageEnd(t, n*Lanes)
				copy(x, values)
				return x
			}
			var scratch Scratch
			v.AddScaled(at(n), at(n), at(1), at(1), true)
			v.Gate(at(n), at(1), true)
			v.GlobalAvgPool(at(1), mapsOf(layoutOf(Lanes, 1, n, nil), at(n)), 0, 0, &scratch)
		}
	}
}
