package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// strip writes the AVX-512 loop that gathers 16 columns of a strip, for a
// stride of 1 or 2. Masked loads give zeros, and touch no memory, outside.
func strip(stride int) {
	TEXT(fmt.Sprintf("stripAVX512x%d", stride), NOSPLIT,
		"func(dst []float32, dstStride int, src []float32, at, srcStride, rows int, load, store uint16)")
	Pragma("noescape")
	Doc(
		fmt.Sprintf("stripAVX512x%d gathers 16 columns of a strip at stride %d:", stride, stride),
		"",
		"\tfor y := range rows {",
		"\t\tfor x := range 16 {",
		"\t\t\tswitch {",
		"\t\t\tcase store>>x&1 == 0:",
		"\t\t\tcase load>>x&1 == 0:",
		"\t\t\t\tdst[y*dstStride+x] = 0",
		"\t\t\tdefault:",
		fmt.Sprintf("\t\t\t\tdst[y*dstStride+x] = src[at+y*srcStride+%d*x]", stride),
		"\t\t\t}",
		"\t\t}",
		"\t}",
		"",
		"at may be negative, and rows is at least 1. It reads nothing else.",
	)
	loadBits, storeBits := GP32(), GP32()
	Load(Param("load"), loadBits)
	Load(Param("store"), storeBits)
	store := K()
	KMOVW(storeBits, store)
	dst := Load(Param("dst").Base(), GP64())
	src := Load(Param("src").Base(), GP64())
	at := Load(Param("at"), GP64())
	LEAQ(Mem{Base: src, Index: at, Scale: float}, src)
	dstStride := Load(Param("dstStride"), GP64())
	SHLQ(Imm(2), dstStride)
	srcStride := Load(Param("srcStride"), GP64())
	SHLQ(Imm(2), srcStride)
	rows := Load(Param("rows"), GP64())

	v := ZMM()
	if stride == 1 {
		load := K()
		KMOVW(loadBits, load)
		Label("row")
		VMOVUPS_Z(Mem{Base: src}, load, v)
	} else {
		// The lanes' bits of load, spread to every second bit of 32.
		for _, step := range []struct{ shift, keep uint64 }{{8, 0x00ff00ff}, {4, 0x0f0f0f0f}, {2, 0x33333333}, {1, 0x55555555}} {
			t := GP32()
			MOVL(loadBits, t)
			SHLL(Imm(step.shift), t)
			ORL(t, loadBits)
			ANDL(Imm(step.keep), loadBits)
		}
		low, high := K(), K()
		KMOVW(loadBits, low)
		SHRL(Imm(16), loadBits)
		KMOVW(loadBits, high)
		even := ZMM()
		VMOVDQU32(evenLanes(), even)
		second := ZMM()
		Label("row")
		VMOVUPS_Z(Mem{Base: src}, low, v)
		VMOVUPS_Z(Mem{Base: src, Disp: 16 * float}, high, second)
		VPERMT2PS(second, even, v)
	}
	VMOVUPS(v, store, Mem{Base: dst})
	ADDQ(srcStride, src)
	ADDQ(dstStride, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// evenLanes are the indices of every second lane of two vectors.
func evenLanes() Mem {
	m := GLOBL("evenLanes", RODATA|NOPTR)
	for i := range 16 {
		DATA(i*4, U32(2*i))
	}
	return m
}
