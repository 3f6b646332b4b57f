package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// cells writes a loop over neighbouring cells; body emits what is done with one
// vector of each.
func cells(a isa, name, of, signature string, body func(load func(string) reg.GPVirtual) (each func(disp, part int), end func())) {
	name += a.name
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is %s.", name, of))
	restore := flushDenormals()
	load := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	each, end := body(load)
	n := load("n")
	Label("cell")
	for part := range a.parts() {
		each(part*a.bytes(), part)
	}
	DECQ(n)
	JNZ(LabelRef("cell"))
	if end != nil {
		end()
	}
	restore()
	VZEROUPPER()
	RET()
}

// vectors loads a cell's worth of factors.
func (a isa) vectors(from reg.GPVirtual) []reg.VecVirtual {
	v := make([]reg.VecVirtual, a.parts())
	for i := range v {
		v[i] = a.vector()
		VMOVUPS(Mem{Base: from, Disp: i * a.bytes()}, v[i])
	}
	return v
}

func addScaled(a isa) {
	cells(a, "addScaled", "addScaledFunc", "func(dst, src, scale, shift *float32, relu, n int)",
		func(load func(string) reg.GPVirtual) (func(int, int), func()) {
			dst, src := load("dst"), load("src")
			scale, shift, floor := a.vectors(load("scale")), a.vectors(load("shift")), a.floor(load("relu"))
			return func(disp, part int) {
				x := a.vector()
				VMOVUPS(Mem{Base: src, Disp: disp}, x)
				VFMADD213PS(shift[part], scale[part], x)
				VADDPS(Mem{Base: dst, Disp: disp}, x, x)
				VMAXPS(x, floor, x) // NaN stays
				VMOVUPS(x, Mem{Base: dst, Disp: disp})
				if part == a.parts()-1 {
					ADDQ(Imm(cell), src)
					ADDQ(Imm(cell), dst)
				}
			}, nil
		})
}

func gate(a isa) {
	cells(a, "gate", "gateFunc", "func(dst, scale *float32, relu, n int)",
		func(load func(string) reg.GPVirtual) (func(int, int), func()) {
			dst := load("dst")
			scale, floor := a.vectors(load("scale")), a.floor(load("relu"))
			return func(disp, part int) {
				x := a.vector()
				VMULPS(Mem{Base: dst, Disp: disp}, scale[part], x)
				VMAXPS(x, floor, x) // NaN stays
				VMOVUPS(x, Mem{Base: dst, Disp: disp})
				if part == a.parts()-1 {
					ADDQ(Imm(cell), dst)
				}
			}, nil
		})
}

func sum(a isa) {
	cells(a, "sum", "sumFunc", "func(dst, src *float32, n int)",
		func(load func(string) reg.GPVirtual) (func(int, int), func()) {
			src, dst := load("src"), load("dst")
			total := make([]reg.VecVirtual, a.parts())
			for i := range total {
				total[i] = a.vector()
				a.zero(total[i])
			}
			return func(disp, part int) {
					VADDPS(Mem{Base: src, Disp: disp}, total[part], total[part])
					if part == a.parts()-1 {
						ADDQ(Imm(cell), src)
					}
				}, func() {
					for i, v := range total {
						VMOVUPS(v, Mem{Base: dst, Disp: i * a.bytes()})
					}
				}
		})
}
