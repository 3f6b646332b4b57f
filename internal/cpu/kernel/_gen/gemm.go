package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const gemmSignature = "func(a *byte, aStride, aNext int, offsets *int, segments, length int, b *byte, bPanel int, ahead *byte, " +
	"c *float32, cStride, cPanel, cNext int, bias *float32, add, relu, times int)"

// half is how many rows of a are addressed from one pointer.
const half = 7

// gemm writes the micro-kernel for a number of rows and panels. For bf16, what
// stands for a multiply-add here becomes VDPBF16PS afterwards: see bf16.go.
func gemm(a isa, element string, rows, panels int) {
	name := fmt.Sprintf("gemm%s_%dx%d", element, rows, panels)
	TEXT(name, NOSPLIT, gemmSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is gemmFunc for %d rows and %d panels.", name, rows, panels))
	restore := flushDenormals()

	load := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	base, aStride, bPanel := load("a"), newStrided(load("aStride"), min(rows, half)), load("bPanel")
	segments, offsets := GP64(), GP64()

	Label("register_tile")
	acc := make([][]reg.VecVirtual, rows)
	for i := range acc {
		for range panels * a.parts() {
			acc[i] = append(acc[i], a.vector())
		}
	}
	// each goes through the register tile's results.
	each := func(f func(v reg.VecVirtual, at Mem)) {
		c, cStride, cPanel := load("c"), load("cStride"), load("cPanel")
		for i := range acc {
			for p := range panels {
				for q := range a.parts() {
					at := Mem{Base: c, Disp: q * a.bytes()}
					if p > 0 {
						at.Index, at.Scale = cPanel, uint8(p)
					}
					f(acc[i][p*a.parts()+q], at)
				}
			}
			if i < rows-1 {
				ADDQ(cStride, c)
			}
		}
	}
	start(a, acc, each)

	b, ahead := load("b"), load("ahead")
	offsets = load("offsets")
	segments = load("segments")
	Label("segment")
	a0, a1 := GP64(), GP64()
	MOVQ(base, a0)
	ADDQ(Mem{Base: offsets}, a0)
	if rows > half {
		LEAQ(aStride.at(a0, 6, 0), a1)
		ADDQ(aStride.s1, a1)
	}
	length := load("length")
	Label("product")
	w := make([]reg.VecVirtual, panels*a.parts())
	for p := range panels {
		for q := range a.parts() {
			w[p*a.parts()+q] = a.vector()
			at := Mem{Base: b, Disp: q * a.bytes()}
			if p > 0 {
				at.Index, at.Scale = bPanel, uint8(p)
			}
			VMOVUPS(at, w[p*a.parts()+q])
		}
	}
	for p := range panels {
		PREFETCHT1(Mem{Base: ahead, Disp: p * cell})
	}
	for i := range acc {
		x := a.vector()
		if i < half {
			VBROADCASTSS(aStride.at(a0, i, 0), x)
		} else {
			VBROADCASTSS(aStride.at(a1, i-half, 0), x)
		}
		for j := range w {
			VFMADD231PS(x, w[j], acc[i][j])
		}
	}
	ADDQ(Imm(float), a0)
	if rows > half {
		ADDQ(Imm(float), a1)
	}
	ADDQ(Imm(cell), b)
	ADDQ(Imm(uint64(panels*cell)), ahead)
	DECQ(length)
	JNZ(LabelRef("product"))
	ADDQ(Imm(8), offsets)
	DECQ(segments)
	JNZ(LabelRef("segment"))

	floor := a.floor(load("relu"))
	each(func(v reg.VecVirtual, at Mem) {
		// Of a NaN and a number, the instruction gives the first operand.
		VMAXPS(v, floor, v)
		VMOVUPS(v, at)
	})

	ADDQ(load("aNext"), base)
	advance("c", load("cNext"))
	countDown("times", "register_tile")
	restore()
	VZEROUPPER()
	RET()
}

// start sets the sums: to the results so far, or the bias, or zero.
func start(a isa, acc [][]reg.VecVirtual, each func(func(reg.VecVirtual, Mem))) {
	add := Load(Param("add"), GP64())
	TESTQ(add, add)
	JZ(LabelRef("bias"))
	each(func(v reg.VecVirtual, at Mem) { VMOVUPS(at, v) })
	JMP(LabelRef("started"))

	Label("bias")
	bias := Load(Param("bias"), GP64())
	TESTQ(bias, bias)
	JZ(LabelRef("zero"))
	for j, v := range acc[0] {
		VMOVUPS(Mem{Base: bias, Disp: j * a.bytes()}, v)
		for i := range acc[1:] {
			VMOVAPS(v, acc[i+1][j])
		}
	}
	JMP(LabelRef("started"))

	Label("zero")
	for i := range acc {
		for _, v := range acc[i] {
			a.zero(v)
		}
	}
	Label("started")
}
