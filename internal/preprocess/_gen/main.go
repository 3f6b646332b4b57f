// Command gen writes the assembly of package preprocess. See the go:generate
// line in ../resample_amd64.go.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	bits = 22 // of a weight after the point: pillowBits
	half = 1 << (bits - 1)
	word = 4 // bytes of a weight
	lane = 8 // sums in a vector of the column loop
)

func main() {
	ConstraintExpr("amd64,!noasm")
	column()
	fourRows()
	Generate()
}

// rounding gives a vector of halves.
func rounding(v reg.VecVirtual) {
	bits := GP32()
	MOVL(U32(half), bits)
	VMOVD(bits, v.AsX())
	VPBROADCASTD(v.AsX(), v)
}

// column keeps four vectors of sums, 32 samples. What is left of a row is done
// with the samples before it once more.
func column() {
	const samples = 4 * lane
	TEXT("columnAVX2", NOSPLIT, "func(dst, src []byte, stride int, weights []int32)")
	Pragma("noescape")
	Doc(
		"columnAVX2 sums rows of samples up:",
		"",
		"\tfor i := range dst {",
		"\t\tsum := int32(resampleHalf)",
		"\t\tfor j, w := range weights {",
		"\t\t\tsum += int32(src[j*stride+i]) * w",
		"\t\t}",
		"\t\tdst[i] = clamp8(sum >> pillowBits)",
		"\t}",
		"",
		"dst has at least 32 samples, weights at least one; dst and src do not overlap.",
	)
	start := YMM()
	rounding(start)
	order := YMM()
	VMOVDQU(packedOrder(), order)
	dst := Load(Param("dst").Base(), GP64())
	src := Load(Param("src").Base(), GP64())
	stride := Load(Param("stride"), GP64())
	weights := Load(Param("weights").Base(), GP64())
	taps := Load(Param("weights").Len(), GP64())
	last := Load(Param("dst").Len(), GP64())
	SUBQ(Imm(samples), last) // where the last block begins
	at := GP64()
	XORQ(at, at)

	Label("block")
	var sums [4]reg.VecVirtual
	for i := range sums {
		sums[i] = YMM()
		VMOVDQA(start, sums[i])
	}
	row, j := GP64(), GP64()
	LEAQ(Mem{Base: src, Index: at, Scale: 1}, row)
	XORQ(j, j)

	Label("tap")
	w := YMM()
	VPBROADCASTD(Mem{Base: weights, Index: j, Scale: word}, w)
	for i := range sums {
		v := YMM()
		VPMOVZXBD(Mem{Base: row, Disp: i * lane}, v)
		VPMULLD(w, v, v)
		VPADDD(v, sums[i], sums[i])
	}
	ADDQ(stride, row)
	INCQ(j)
	CMPQ(j, taps)
	JLT(LabelRef("tap"))

	for i := range sums {
		VPSRAD(Imm(bits), sums[i], sums[i])
	}
	VPACKSSDW(sums[1], sums[0], sums[0])
	VPACKSSDW(sums[3], sums[2], sums[2])
	VPACKUSWB(sums[2], sums[0], sums[0])
	VPERMD(sums[0], order, sums[0])
	VMOVDQU(sums[0], Mem{Base: dst, Index: at, Scale: 1})
	CMPQ(at, last)
	JGE(LabelRef("done"))
	ADDQ(Imm(samples), at)
	CMPQ(at, last)
	CMOVQGT(last, at)
	JMP(LabelRef("block"))

	Label("done")
	VZEROUPPER()
	RET()
}

// packedOrder undoes the order that packing within the halves of vectors leaves.
func packedOrder() Mem {
	m := GLOBL("packedOrder", RODATA|NOPTR)
	for i, v := range []U32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(i*4, v)
	}
	return m
}

// fourRows keeps the sums of one pixel in each of four rows.
func fourRows() {
	const rows = 4
	TEXT("fourRowsAVX2", NOSPLIT, "func(dst []byte, dstStride int, src []byte, srcStride int, firsts []int, weights []int32, taps int)")
	Pragma("noescape")
	Doc(
		"fourRowsAVX2 makes pixels of four rows:",
		"",
		"\tfor i, first := range firsts {",
		"\t\tfor y := range 4 {",
		"\t\t\tfor c := range 4 {",
		"\t\t\t\tsum := int32(resampleHalf)",
		"\t\t\t\tfor j := range taps {",
		"\t\t\t\t\tsum += int32(src[y*srcStride+3*(first+j)+c]) * weights[i*taps+j]",
		"\t\t\t\t}",
		"\t\t\t\tdst[y*dstStride+3*i+c] = clamp8(sum >> pillowBits)",
		"\t\t\t}",
		"\t\t}",
		"\t}",
		"",
		"A pixel has three bytes, but four are read and written: the last one of a",
		"row writes a byte too many. taps is at least 1.",
	)
	start := XMM()
	rounding(start)
	var s [rows]reg.GPVirtual
	s[0] = Load(Param("src").Base(), GP64()).(reg.GPVirtual)
	srcStride := Load(Param("srcStride"), GP64())
	for y := 1; y < rows; y++ {
		s[y] = GP64()
		LEAQ(Mem{Base: s[y-1], Index: srcStride, Scale: 1}, s[y])
	}
	dst := Load(Param("dst").Base(), GP64())
	dstStride := Load(Param("dstStride"), GP64())
	firsts := Load(Param("firsts").Base(), GP64())
	weights := Load(Param("weights").Base(), GP64())
	left := Load(Param("firsts").Len(), GP64())
	TESTQ(left, left)
	JZ(LabelRef("done"))

	Label("pixel")
	var sums [rows]reg.VecVirtual
	for y := range sums {
		sums[y] = XMM()
		VMOVDQA(start, sums[y])
	}
	at, j := GP64(), GP64()
	MOVQ(Mem{Base: firsts}, at)
	LEAQ(Mem{Base: at, Index: at, Scale: 2}, at)
	Load(Param("taps"), j)

	Label("tap")
	w := XMM()
	VPBROADCASTD(Mem{Base: weights}, w)
	for y := range sums {
		v := XMM()
		VPMOVZXBD(Mem{Base: s[y], Index: at, Scale: 1}, v)
		VPMULLD(w, v, v)
		VPADDD(v, sums[y], sums[y])
	}
	ADDQ(Imm(3), at)
	ADDQ(Imm(word), weights)
	DECQ(j)
	JNZ(LabelRef("tap"))

	for y := range sums {
		VPSRAD(Imm(bits), sums[y], sums[y])
	}
	VPACKSSDW(sums[1], sums[0], sums[0])
	VPACKSSDW(sums[3], sums[2], sums[2])
	VPACKUSWB(sums[2], sums[0], sums[0])
	third := GP64()
	LEAQ(Mem{Base: dst, Index: dstStride, Scale: 2}, third)
	VMOVD(sums[0], Mem{Base: dst})
	VPEXTRD(Imm(1), sums[0], Mem{Base: dst, Index: dstStride, Scale: 1})
	VPEXTRD(Imm(2), sums[0], Mem{Base: third})
	VPEXTRD(Imm(3), sums[0], Mem{Base: third, Index: dstStride, Scale: 1})
	ADDQ(Imm(3), dst)
	ADDQ(Imm(8), firsts)
	DECQ(left)
	JNZ(LabelRef("pixel"))

	Label("done")
	RET()
}
