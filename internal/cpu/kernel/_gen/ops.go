package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// memory loads and stores a vector, or its first lanes.
type memory struct {
	load  func(from Mem, v reg.VecVirtual)
	store func(v reg.VecVirtual, to Mem)
}

var whole = memory{
	load:  func(from Mem, v reg.VecVirtual) { VMOVUPS(from, v) },
	store: func(v reg.VecVirtual, to Mem) { VMOVUPS(v, to) },
}

// first accesses the first n lanes, 0 < n < lanes; a load gives zeros for the
// others. n is consumed.
func (a isa) first(n reg.GPVirtual) memory {
	if a.lanes == 8 {
		mask := YMM()
		table := GP64()
		LEAQ(laneMasks().Offset(8*float), table)
		NEGQ(n)
		VMOVUPS(Mem{Base: table, Index: n, Scale: float}, mask)
		return memory{
			load:  func(from Mem, v reg.VecVirtual) { VMASKMOVPS(from, mask, v) },
			store: func(v reg.VecVirtual, to Mem) { VMASKMOVPS(v, mask, to) },
		}
	}
	MOVQ(n, reg.RCX)
	bits, mask := GP32(), K()
	MOVL(U32(1), bits)
	SHLL(reg.CL, bits)
	DECL(bits)
	KMOVW(bits, mask)
	return memory{
		load:  func(from Mem, v reg.VecVirtual) { VMOVUPS_Z(from, mask, v) },
		store: func(v reg.VecVirtual, to Mem) { VMOVUPS(v, mask, to) },
	}
}

var masksWritten bool

// laneMasks are 8 words of ones followed by 8 of zeros.
func laneMasks() Mem {
	if masksWritten {
		return NewDataAddr(NewStaticSymbol("laneMasks"), 0)
	}
	masksWritten = true
	m := GLOBL("laneMasks", RODATA|NOPTR)
	for i := range 16 {
		var word U32
		if i < 8 {
			word = 1<<32 - 1
		}
		DATA(i*4, word)
	}
	return m
}

// each goes through n values at the pointers, a vector at a time. All values
// see the same instructions, so that none depends on its place.
func (a isa) each(n reg.GPVirtual, pointers []reg.GPVirtual, body func(memory)) {
	Label("vector")
	CMPQ(n, Imm(uint64(a.lanes)))
	JLT(LabelRef("rest"))
	body(whole)
	for _, p := range pointers {
		ADDQ(Imm(uint64(a.lanes*float)), p)
	}
	SUBQ(Imm(uint64(a.lanes)), n)
	JMP(LabelRef("vector"))
	Label("rest")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	body(a.first(n))
	Label("done")
}

func (a isa) broadcast(param string) reg.VecVirtual {
	m, err := Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	v := a.vector()
	VBROADCASTSS(m.Addr, v)
	return v
}

func (a isa) zeroed() reg.VecVirtual {
	v := a.vector()
	a.zero(v)
	return v
}

func scaleShiftAdd(a isa) {
	name := "scaleShiftAdd" + a.name
	TEXT(name, NOSPLIT, "func(dst, src []float32, scale, shift float32, relu bool)")
	Pragma("noescape")
	Doc(
		name+" adds to dst as many values as src has:",
		"",
		"\tfor i, v := range src {",
		"\t\tdst[i] += fma(scale, v, shift)",
		"\t\tif relu {",
		"\t\t\tdst[i] = max(dst[i], 0)",
		"\t\t}",
		"\t}",
		"",
		"A sum of -0 stays -0 under relu.",
	)
	scale, shift, floor := a.broadcast("scale"), a.broadcast("shift"), a.zeroed()
	// Without relu the floor is -Inf: of a NaN and a number, VMAXPS gives the
	// first operand.
	relu := Load(Param("relu"), GP8())
	TESTB(relu, relu)
	JNZ(LabelRef("start"))
	bits := GP32()
	MOVL(U32(0xff800000), bits)
	x := XMM()
	VMOVD(bits, x)
	VBROADCASTSS(x, floor)
	Label("start")
	dst, src := Load(Param("dst").Base(), GP64()).(reg.GPVirtual), Load(Param("src").Base(), GP64()).(reg.GPVirtual)
	n := Load(Param("src").Len(), GP64()).(reg.GPVirtual)
	a.each(n, []reg.GPVirtual{dst, src}, func(m memory) {
		v, sum := a.vector(), a.vector()
		m.load(Mem{Base: src}, v)
		m.load(Mem{Base: dst}, sum)
		VFMADD213PS(shift, scale, v)
		VADDPS(v, sum, sum)
		VMAXPS(sum, floor, sum)
		m.store(sum, Mem{Base: dst})
	})
	VZEROUPPER()
	RET()
}

func scaleReLU(a isa) {
	name := "scaleReLU" + a.name
	TEXT(name, NOSPLIT, "func(x []float32, scale float32)")
	Pragma("noescape")
	Doc(
		name+" changes x in place:",
		"",
		"\tfor i := range x {",
		"\t\tx[i] = max(scale*x[i], 0)",
		"\t}",
		"",
		"A product of -0 stays -0.",
	)
	scale, zero := a.broadcast("scale"), a.zeroed()
	x := Load(Param("x").Base(), GP64()).(reg.GPVirtual)
	n := Load(Param("x").Len(), GP64()).(reg.GPVirtual)
	a.each(n, []reg.GPVirtual{x}, func(m memory) {
		v := a.vector()
		m.load(Mem{Base: x}, v)
		VMULPS(scale, v, v)
		VMAXPS(v, zero, v)
		m.store(v, Mem{Base: x})
	})
	VZEROUPPER()
	RET()
}

// dot keeps four vectors of sums, to hide the latency of an addition.
func dot(a isa) {
	const sums = 4
	name := "dot" + a.name
	TEXT(name, NOSPLIT, "func(a, b []float32) float32")
	Pragma("noescape")
	Doc(
		name+" is the sum of products over the length of a, in another order than:",
		"",
		"\tvar sum float32",
		"\tfor i, v := range a {",
		"\t\tsum = fma(v, b[i], sum)",
		"\t}",
		"\treturn sum",
	)
	left, right := Load(Param("a").Base(), GP64()).(reg.GPVirtual), Load(Param("b").Base(), GP64()).(reg.GPVirtual)
	n := Load(Param("a").Len(), GP64()).(reg.GPVirtual)
	var acc [sums]reg.VecVirtual
	for i := range acc {
		acc[i] = a.zeroed()
	}
	v := a.vector()
	Label("vectors")
	CMPQ(n, Imm(uint64(sums*a.lanes)))
	JLT(LabelRef("vector"))
	for i := range acc {
		VMOVUPS(Mem{Base: left, Disp: i * a.lanes * float}, v)
		VFMADD231PS(Mem{Base: right, Disp: i * a.lanes * float}, v, acc[i])
	}
	for _, p := range []reg.GPVirtual{left, right} {
		ADDQ(U32(sums*a.lanes*float), p)
	}
	SUBQ(Imm(uint64(sums*a.lanes)), n)
	JMP(LabelRef("vectors"))
	a.each(n, []reg.GPVirtual{left, right}, func(m memory) {
		w := a.vector()
		m.load(Mem{Base: left}, v)
		m.load(Mem{Base: right}, w)
		VFMADD231PS(w, v, acc[0])
	})
	VADDPS(acc[1], acc[0], acc[0])
	VADDPS(acc[3], acc[2], acc[2])
	VADDPS(acc[2], acc[0], acc[0])
	half := acc[0]
	if a.lanes == 16 {
		upper := YMM()
		VEXTRACTF64X4(Imm(1), acc[0], upper)
		half = acc[0].AsY().(reg.VecVirtual)
		VADDPS(upper, half, half)
	}
	quarter, upper := half.AsX(), XMM()
	VEXTRACTF128(Imm(1), half.AsY(), upper)
	VADDPS(upper, quarter, quarter)
	VMOVHLPS(quarter, quarter, upper)
	VADDPS(upper, quarter, quarter)
	VMOVSHDUP(quarter, upper)
	VADDSS(upper, quarter, quarter)
	VZEROUPPER() // keeps the lowest vector
	Store(quarter, ReturnIndex(0))
	RET()
}
