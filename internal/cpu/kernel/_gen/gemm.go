package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is a vector instruction set and the register tile that fits it: rows
// output channels times maxVectors vectors of output pixels hold the sums, one
// register a broadcast weight, and maxVectors the pixels' values.
type isa struct {
	name             string
	rows, maxVectors int
	lanes            int // float32 values in a vector
	vector           func() reg.VecVirtual
	zero             func(reg.VecVirtual)
}

var (
	// 8 x 3 of 32 registers: 24 FMA for 11 loads.
	avx512 = isa{"AVX512", 8, 3, 16, ZMM, func(v reg.VecVirtual) { VPXORD(v, v, v) }}
	// 4 x 3 of 16 registers: 12 FMA for 7 loads.
	avx2 = isa{"AVX2", 4, 3, 8, YMM, func(v reg.VecVirtual) { VXORPS(v, v, v) }}
)

const float = 4 // bytes

// gemm writes the micro-kernel for a number of vectors.
func gemm(a isa, vectors int) {
	pixels := vectors * a.lanes
	TEXT(fmt.Sprintf("gemm%sx%d", a.name, vectors), NOSPLIT,
		"func(dst []float32, stride int, add, weights, bias, strips []float32, offsets []int32, relu bool)")
	Pragma("noescape")
	Doc(
		fmt.Sprintf("gemm%sx%d computes %d output channels times %d pixels:", a.name, vectors, a.rows, pixels),
		"",
		fmt.Sprintf("\tfor i := range %d {", a.rows),
		fmt.Sprintf("\t\tfor j := range %d {", pixels),
		"\t\t\tvar sum float32",
		"\t\t\tfor k, offset := range offsets {",
		fmt.Sprintf("\t\t\t\tsum = fma(weights[k*%d+i], strips[int(offset)+j], sum)", a.rows),
		"\t\t\t}",
		"\t\t\tsum += bias[i]",
		"\t\t\tif add != nil {",
		"\t\t\t\tsum += add[i*stride+j]",
		"\t\t\t}",
		"\t\t\tif relu {",
		"\t\t\t\tsum = max(sum, 0)",
		"\t\t\t}",
		"\t\t\tdst[i*stride+j] = sum",
		"\t\t}",
		"\t}",
		"",
		"dst and add may be the same. A sum of -0 stays -0 under relu.",
	)

	acc := make([][]reg.VecVirtual, a.rows)
	for i := range acc {
		acc[i] = make([]reg.VecVirtual, vectors)
		for v := range acc[i] {
			acc[i][v] = a.vector()
			a.zero(acc[i][v])
		}
	}
	weights := Load(Param("weights").Base(), GP64())
	strips := Load(Param("strips").Base(), GP64())
	offsets := Load(Param("offsets").Base(), GP64())
	depth := Load(Param("offsets").Len(), GP64())
	TESTQ(depth, depth)
	JZ(LabelRef("epilogue"))

	Label("product")
	at := GP64()
	MOVLQSX(Mem{Base: offsets}, at)
	x := make([]reg.VecVirtual, vectors)
	for v := range x {
		x[v] = a.vector()
		VMOVUPS(Mem{Base: strips, Index: at, Scale: float, Disp: v * a.lanes * float}, x[v])
	}
	for i := range acc {
		w := a.vector()
		VBROADCASTSS(Mem{Base: weights, Disp: i * float}, w)
		for v := range x {
			VFMADD231PS(x[v], w, acc[i][v])
		}
	}
	ADDQ(Imm(float), offsets)
	ADDQ(Imm(uint64(a.rows*float)), weights)
	DECQ(depth)
	JNZ(LabelRef("product"))

	Label("epilogue")
	bias := Load(Param("bias").Base(), GP64())
	for i := range acc {
		b := a.vector()
		VBROADCASTSS(Mem{Base: bias, Disp: i * float}, b)
		for v := range acc[i] {
			VADDPS(b, acc[i][v], acc[i][v])
		}
	}
	stride := Load(Param("stride"), GP64())
	SHLQ(Imm(2), stride) // in bytes
	row := func(base reg.Register, v int) Mem { return Mem{Base: base, Disp: v * a.lanes * float} }

	add := Load(Param("add").Base(), GP64())
	TESTQ(add, add)
	JZ(LabelRef("relu"))
	for i := range acc {
		for v := range acc[i] {
			VADDPS(row(add, v), acc[i][v], acc[i][v])
		}
		ADDQ(stride, add)
	}

	Label("relu")
	relu := Load(Param("relu"), GP8())
	TESTB(relu, relu)
	JZ(LabelRef("store"))
	zero := a.vector()
	a.zero(zero)
	for i := range acc {
		for v := range acc[i] {
			// Of a NaN and a number, the instruction gives the first operand.
			VMAXPS(acc[i][v], zero, acc[i][v])
		}
	}

	Label("store")
	dst := Load(Param("dst").Base(), GP64())
	for i := range acc {
		for v := range acc[i] {
			VMOVUPS(acc[i][v], row(dst, v))
		}
		ADDQ(stride, dst)
	}
	VZEROUPPER()
	RET()
}
