package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	float = 4  // bytes
	lanes = 16 // channels of a cell
	cell  = lanes * float
)

// isa is a vector instruction set.
type isa struct {
	name   string
	width  int // float32 values in a vector; a cell takes lanes/width vectors
	vector func() reg.VecVirtual
	zero   func(reg.VecVirtual)
	// maxRows is, by number of panels less one, how many rows of a product fit
	// into the registers beside the panels' vectors and one broadcast value.
	maxRows []int
	// Constants of a transform stay in registers if there are 32, else in memory.
	constants bool
}

var (
	avx512 = isa{"AVX512", 16, ZMM, func(v reg.VecVirtual) { VPXORD(v, v, v) }, []int{14, 14, 9}, true}
	avx2   = isa{"AVX2", 8, YMM, func(v reg.VecVirtual) { VXORPS(v, v, v) }, []int{6}, false}
)

// parts is the vectors of a cell.
func (a isa) parts() int { return lanes / a.width }

// bytes is the size of a vector.
func (a isa) bytes() int { return a.width * float }

// flushDenormals makes denormal numbers zero until restore: they would slow the
// arithmetic down by a factor, and are far below its rounding errors. Within a
// call, because a goroutine may change threads after it.
func flushDenormals() (restore func()) {
	saved := AllocLocal(16)
	changed := saved.Offset(8)
	STMXCSR(saved)
	status := GP32()
	MOVL(saved, status)
	ORL(U32(0x8040), status) // FTZ, DAZ
	MOVL(status, changed)
	LDMXCSR(changed)
	return func() { LDMXCSR(saved) }
}

// strided addresses up to 7 elements at base + i*stride, without touching base.
type strided struct{ s1, s3, s5 reg.GPVirtual }

// newStrided keeps stride and, as far as n elements need them, its multiples.
func newStrided(stride reg.GPVirtual, n int) strided {
	s := strided{s1: stride}
	if n > 3 {
		s.s3 = GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, s.s3)
	}
	if n > 5 {
		s.s5 = GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 4}, s.s5)
	}
	return s
}

func (s strided) at(base reg.Register, i, disp int) Mem {
	m := Mem{Base: base, Disp: disp}
	switch i {
	case 0:
	case 1, 2, 4:
		m.Index, m.Scale = s.s1, uint8(i)
	case 3, 6:
		m.Index, m.Scale = s.s3, uint8(i/3)
	case 5:
		m.Index, m.Scale = s.s5, 1
	default:
		panic(fmt.Sprintf("strided: element %d", i))
	}
	return m
}

var floorsWritten bool

// floor is what ReLU takes the maximum with: 0, or minus infinity without it.
func (a isa) floor(relu reg.GPVirtual) reg.VecVirtual {
	table := NewDataAddr(NewStaticSymbol("floors"), 0)
	if !floorsWritten {
		floorsWritten = true
		table = GLOBL("floors", RODATA|NOPTR)
		DATA(0, U32(0xff800000))
		DATA(float, U32(0))
	}
	base, v := GP64(), a.vector()
	LEAQ(table, base)
	VBROADCASTSS(Mem{Base: base, Index: relu, Scale: float}, v)
	return v
}
