package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"repvgg/internal/cpu/winograd"
)

const (
	weightsSignature = "func(src *float32, dst *byte, dstProduct int, scratch *float64, channels int)"
	double           = 8 // bytes
	wideCell         = lanes * double
	kernelTaps       = winograd.Taps * winograd.Taps
)

// weightTransform writes G g GT in float64 for the kernels of a panel, with
// results of element's type. bf16 takes two input channels at a time, whose
// results share words.
//
// Products and sums are not fused and in the order of the plain loop, so that
// packed weights have the same bits on every machine.
func weightTransform(a isa, element string, f *winograd.Matrices) {
	name := fmt.Sprintf("winogradWeights%s_%d", element, f.M)
	TEXT(name, NOSPLIT, weightsSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is weightsFunc for F(%d, 3).", name, f.M))
	together := 1 // input channels
	if element == bf16Kernels {
		together = 2
	}
	matrix := GLOBL(name+"_g", RODATA|NOPTR)
	for i := range f.N * winograd.Taps {
		for j := range a.bytes() / double {
			DATA(i*a.bytes()+j*double, F64(f.G[i/winograd.Taps][i%winograd.Taps]))
		}
	}
	// combine is row p of G times three vectors.
	combine := func(p int, x []reg.VecVirtual) reg.VecVirtual {
		var sum reg.VecVirtual
		for i, v := range x {
			product := a.vector()
			VMULPD(matrix.Offset((p*winograd.Taps+i)*a.bytes()), v, product)
			if sum == nil {
				sum = product
			} else {
				VADDPD(product, sum, sum)
			}
		}
		return sum
	}
	load := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	src, dst, product, channels := load("src"), load("dst"), newStrided(load("dstProduct"), f.N), load("channels")
	scratch := load("scratch")
	x := make([]reg.VecVirtual, winograd.Taps)

	Label("channel")
	// G g, for some lanes at a time: a row of scratch for each row of G.
	for channel := range together {
		label := fmt.Sprintf("lanes%d", channel)
		from, to, parts := GP64(), GP64(), GP64()
		LEAQ(Mem{Base: src, Disp: channel * kernelTaps * cell}, from)
		LEAQ(Mem{Base: scratch, Disp: channel * f.N * winograd.Taps * wideCell}, to)
		MOVQ(U32(wideCell/a.bytes()), parts)
		Label(label)
		for column := range winograd.Taps {
			for i := range x {
				x[i] = a.vector()
				VCVTPS2PD(Mem{Base: from, Disp: (i*winograd.Taps + column) * cell}, x[i])
			}
			for p := range f.N {
				VMOVUPD(combine(p, x), Mem{Base: to, Disp: (p*winograd.Taps + column) * wideCell})
			}
		}
		ADDQ(U32(a.bytes()/2), from)
		ADDQ(U32(a.bytes()), to)
		DECQ(parts)
		JNZ(LabelRef(label))
	}

	// (G g) GT: a row of products for each row of scratch.
	from, to, rows := GP64(), GP64(), GP64()
	MOVQ(scratch, from)
	MOVQ(dst, to)
	MOVQ(U32(f.N), rows)
	Label("row")
	halves := make([][]reg.VecVirtual, together*wideCell/a.bytes()) // what a cell is made of
	for i := range halves {
		for column := range winograd.Taps {
			v := a.vector()
			at := i * a.bytes()
			at = at/wideCell*f.N*winograd.Taps*wideCell + at%wideCell
			VMOVUPD(Mem{Base: from, Disp: column*wideCell + at}, v)
			halves[i] = append(halves[i], v)
		}
	}
	for q := range f.N {
		// Neighbouring parts of a cell are written one after the other: past the caches,
		// as there will be more of them than a cache holds.
		values := func(i int) reg.VecVirtual {
			low, high := combine(q, halves[i]), combine(q, halves[i+1])
			return a.single(low, high)
		}
		if together == 2 {
			VMOVNTPS(pairs(values(0), values(2)), product.at(to, q, 0))
			continue
		}
		for i := 0; i < len(halves); i += 2 {
			VMOVNTPS(values(i), product.at(to, q, i/2*a.bytes()))
		}
	}
	skip(product, f.N, to)
	ADDQ(U32(winograd.Taps*wideCell), from)
	DECQ(rows)
	JNZ(LabelRef("row"))

	ADDQ(U32(together*kernelTaps*cell), src)
	ADDQ(U32(cell), dst)
	SUBQ(U32(together), channels)
	JG(LabelRef("channel"))
	SFENCE()
	VZEROUPPER()
	RET()
}

// single rounds two vectors of float64 to one of float32.
func (a isa) single(low, high reg.VecVirtual) reg.VecVirtual {
	v := a.vector()
	if a.width == 16 {
		VCVTPD2PS(low, low.AsY())
		VCVTPD2PS(high, high.AsY())
		VINSERTF64X4(U8(1), high.AsY(), low, v)
	} else {
		VCVTPD2PSY(low, low.AsX())
		VCVTPD2PSY(high, high.AsX())
		VINSERTF128(U8(1), high.AsX(), low, v)
	}
	return v
}

// pairs rounds two vectors to words of two bf16 values, that of even below. It
// rounds as the plain code does: VCVTNEPS2BF16 takes denormal numbers for zero.
func pairs(even, odd reg.VecVirtual) reg.VecVirtual {
	for _, v := range []reg.VecVirtual{even, odd} {
		last, isNaN, quiet := ZMM(), K(), ZMM()
		VCMPPS(U8(3), v, v, isNaN) // unordered
		VPORD(word("quiet_nan", 1<<22), v, quiet)
		VPSRLD(U8(16), v, last)
		VPANDD(word("one", 1), last, last)
		VPADDD(word("half_less_one", 0x7fff), last, last)
		VPADDD(last, v, v)
		VMOVDQA32(quiet, isNaN, v)
	}
	VPSRLD(U8(16), even, even)
	VPANDD(word("upper_half", 0xffff0000), odd, odd)
	VPORD(even, odd, even)
	return even
}

var words = map[string]Mem{}

// word is a vector of equal words in memory.
func word(name string, value uint32) Mem {
	m, ok := words[name]
	if !ok {
		m = GLOBL("words_"+name, RODATA|NOPTR)
		for i := range lanes {
			DATA(i*float, U32(value))
		}
		words[name] = m
	}
	return m
}
