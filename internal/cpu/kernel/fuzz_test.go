package kernel

import (
	"encoding/binary"
	"math"
	"repvgg/internal/model"
	"testing"
)

// The fuzzers map any input to a valid call, so that each one checks something.
// Sums are held against the reference with guard words round the output.

func FuzzConv(f *testing.F) {
	for _, seed := range []uint64{0, 0x0102030405060708, 0xfedcba9876543210, 0x1111111111111111, 0x8040201008040201, 0xffffffffffffffff} {
		f.Add(seed, uint8(seed), uint8(seed>>8), uint8(seed>>16), uint8(seed>>24), uint16(seed>>32), uint16(seed>>48))
	}
	f.Fuzz(func(t *testing.T, seed uint64, in, out, groups, kernel uint8, form, size uint16) {
		g := 1 + int(groups)%6
		if groups >= 192 {
			g = 1 + int(groups)%40
		}
		pick := func(n int) int { // takes a digit of form
			d := int(form) % n
			form /= uint16(n)
			return d
		}
		s := model.Conv{In: g * (1 + int(in)%(1+50/g)), Out: g * (1 + int(out)%(1+100/g)), KernelH: 1 + int(kernel)%4, KernelW: 1 + int(kernel>>4)%4, Groups: g}
		s.Stride, s.Dilation, s.PadH, s.PadW = 1+pick(3), 1+pick(3), pick(4), pick(3)
		add, relu := pick(2) == 1, pick(2) == 1
		planar, n, shares := pick(2) == 1, 1+pick(3), 1+pick(5)
		p := newProblem(s, n, 1+int(size)%40, 1+int(size>>8)%40/(1+s.In*s.Out/400), seed)
		if p == nil {
			return
		}
		for _, v := range Variants() {
			p.direct(t, v, planar, p.epilogue(add, relu), shares)
			if v.Has(BFloat16) && !planar {
				p.rounded().bf16(t, v, relu, shares)
			}
		}
	})
}

func FuzzWinograd(f *testing.F) {
	for _, seed := range []uint64{0, 0x0102030405060708, 0xfedcba9876543210, 0x1111111111111111, 0x8040201008040201, 0xffffffffffffffff} {
		f.Add(seed, uint8(seed), uint8(seed>>8), uint8(seed>>16), uint8(seed>>24), uint8(seed>>32), uint16(seed>>48))
	}
	f.Fuzz(func(t *testing.T, seed uint64, in, out, groups, form, algorithm uint8, size uint16) {
		g := 1 + int(groups)%6
		if groups >= 192 {
			g = 1 + int(groups)%40
		}
		s := model.Conv{In: g * (1 + int(in)%(1+50/g)), Out: g * (1 + int(out)%(1+150/g)), KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: g}
		n, shares := 1+int(form)%3, 1+int(form>>2)%5
		p := newProblem(s, n, 1+int(size)%40, 1+int(size>>8)%40/(1+s.In*s.Out/400), seed)
		for _, v := range Variants() {
			for m := range v.transforms {
				if algorithm == 0 || int(algorithm)%8 == m {
					p.winograd(t, v, m, form >= 128, shares)
				}
			}
			if v.Has(BFloat16) {
				// Of a single channel's few products, none evens out another's error.
				p.winogradIn(t, v, 2, BFloat16, form >= 128, shares, 2*bf16WinogradTolerance)
			}
		}
	})
}

// FuzzOps takes the bits of its operands from the input: NaN of all kinds,
// infinities, denormal and extreme numbers.
func FuzzOps(f *testing.F) {
	var all []byte
	for i := range 40 * Lanes {
		all = binary.LittleEndian.AppendUint32(all, math.Float32bits(specials[i*i%len(specials)]))
	}
	f.Add([]byte{}, uint8(0))
	f.Add([]byte("0123456789abcdef0123456789abcdef0123456789abcdef"), uint8(3))
	f.Add(all, uint8(7))
	f.Add(all[3:], uint8(34))
	f.Fuzz(func(t *testing.T, data []byte, form uint8) {
		next := 0
		take := func(n int) []float32 { // from data again and again
			x := make([]float32, n*Lanes)
			for i := range x {
				var word [4]byte
				for j := range word {
					if len(data) > 0 {
						word[j] = data[next%len(data)]
					}
					next++
				}
				x[i] = math.Float32frombits(binary.LittleEndian.Uint32(word[:]))
			}
			return x
		}
		surround := func(x []float32) (inner, all []float32) {
			all = filled(len(x)+2*Lanes, guard)
			inner = all[Lanes : Lanes+len(x)]
			copy(inner, x)
			return inner, all
		}
		n := 1 + int(form>>1)%20
		values, src, scale, shift := take(n), take(n), take(1), take(1)
		for _, v := range Variants() {
			dst, all := surround(values)
			checkAddScaled(t, v, dst, all, src, scale, shift, form&1 != 0)
			dst, all = surround(values)
			checkGate(t, v, dst, all, scale, form&1 != 0)
			checkPool(t, v, n, 1, values)
			checkPool(t, v, 1, n, values)
		}
		x, around := surround(values)
		checkSigmoid(t, x, around)
	})
}
