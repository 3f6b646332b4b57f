package kernel

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"repvgg/internal/cpu/winograd"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// sameNumber is the same bits, or both NaN: of two NaN a processor may hand on
// either.
func sameNumber(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// Every m, all numbers of channels in a cell, numbers of all kinds, and nothing
// written beside the cells.
func TestWeightTransforms(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for _, m := range winograd.Outputs() {
		products := (m + 2) * (m + 2)
		scratch := make([]float64, 2*(m+2)*winograd.Taps*Lanes)
		for channels := 1; channels <= Lanes; channels++ {
			src, _ := cells(rng, channels*kernelTaps, channels%2 == 0)
			stride := channels + 1 + rng.IntN(3) // cells of a product, with some to spare
			run := func(f weightsFunc) []float32 {
				all := alignedFloats((products*stride + 1) * Lanes)
				for i := range all {
					all[i] = guard
				}
				f(&src[0], (*byte)(unsafe.Pointer(&all[Lanes])), stride*cellBytes, &scratch[0], channels)
				return all
			}
			want := run(weightsGo(winograd.New(m)))
			for _, v := range Variants() {
				weights := v.transforms[m].weights
				for i, got := range run(weights[Float32]) {
					if !sameNumber(got, want[i]) {
						t.Fatalf("%v, F(%d, 3), %d channels: word %d is %v, want %v", v, m, channels, i-Lanes, got, want[i])
					}
				}
				if f := weights[BFloat16]; f != nil && channels%2 == 0 {
					checkPairs(t, run(f), want, products, stride, channels)
				}
			}
		}
	}
}

// checkPairs holds words of BFloat16 against what they are rounded from.
func checkPairs(t *testing.T, got, want []float32, products, stride, channels int) {
	t.Helper()
	words := make([]float32, len(want))
	for i := range words {
		words[i] = guard
	}
	for p := range products {
		for c := range channels {
			for l := range Lanes {
				BFloat16.put(bytesOf(words), 2*((1+p*stride+c/2)*Lanes+l)+c%2, want[(1+p*stride+c)*Lanes+l])
			}
		}
	}
	for i := range 2 * len(words) {
		if g, w := BFloat16.get(bytesOf(got), i), BFloat16.get(bytesOf(words), i); !sameNumber(g, w) {
			t.Fatalf("%d channels: half %d of word %d is %v, want %v", channels, i%2, i/2-Lanes, g, w)
		}
	}
}

// bytesOf is the opposite of floats.
func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*wordBytes)
}

// Each packed weight is what its definition says, bit for bit, in whatever order
// panels are packed, and only a panel's own are set.
func TestPack(t *testing.T) {
	for _, c := range []struct{ in, out, groups int }{
		{16, 16, 1}, {5, 7, 1}, {17, 18, 1}, {48, 40, 1}, {31, 33, 1}, {12, 20, 2}, {18, 24, 3}, {80, 80, 2}, {96, 48, 3}, {66, 130, 2}, {18, 18, 18}, {18, 36, 18},
	} {
		s := model.Conv{In: c.in, Out: c.out, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: c.groups}
		rng := rand.New(rand.NewPCG(uint64(c.in), uint64(c.out)))
		weight, _ := randomFloats(rng, tensor.Numel(s.WeightShape()), 1)
		weight[0], weight[len(weight)-1] = 1e-42, float32(math.Copysign(0, -1))
		for _, v := range Variants() {
			for _, m := range winograd.Outputs() {
				for e := range elemCount {
					if w, err := v.NewWinograd(s, m, e); err == nil {
						t.Run(fmt.Sprintf("%v/%v/F%d-%v", c, v, m, e), func(t *testing.T) { checkWinogradPack(t, w, weight) })
					}
				}
			}
			for _, f := range []Format{{}, {Planar: true}, {Elem: BFloat16}} {
				if d, err := v.NewConv(s, f); err == nil {
					t.Run(fmt.Sprintf("%v/%v/%+v", c, v, f), func(t *testing.T) { checkConvPack(t, d, weight) })
				}
			}
		}
	}
}

func checkWinogradPack(t *testing.T, c *Winograd, weight []float32) {
	perWord := c.elem.perWord()
	checkPack(t, c, c.shape, &c.memory, Lanes, weight, func(want []byte, o, i int) {
		r := runOf(c.runs, o/Lanes)
		word := (r.unit(o/Lanes)*c.unitBytes() + (i-r.block0*Lanes)/perWord*cellBytes) / wordBytes
		for p, value := range transformed(c.f, kernelOf(c.Conv, weight, o, i)) {
			c.elem.put(want, (p*c.product/wordBytes+word+o%Lanes)*perWord+i%perWord, value)
		}
	})
}

func checkConvPack(t *testing.T, c *Conv, weight []float32) {
	perCell, perWord := c.in.channels(), c.in.Elem.perWord()
	checkPack(t, c, c.shape, &c.memory, perCell, weight, func(want []byte, o, i int) {
		r := runOf(c.runs, o/Lanes)
		unit := (r.unit(o/Lanes) + i/perCell - r.block0) * kernelTaps
		for tap, value := range kernelOf(c.Conv, weight, o, i) {
			word := ((unit+tap)*c.in.words()+i%perCell/perWord)*Lanes + o%Lanes
			c.in.Elem.put(want, word*perWord+i%perWord, float32(value))
		}
	})
}

// checkPack packs each panel on its own, the last one first. define sets the weights
// of a pair of channels; what it never sets is zero. Cells of the input hold so many
// channels.
func checkPack(t *testing.T, c interface {
	Pack(panel int, rows []float32)
}, s shape, m *memory, perCell int, weight []float32, define func(want []byte, o, i int)) {
	t.Helper()
	memory, want := make([][]byte, 2), make([][]byte, 2) // all, and without its guards
	for _, b := range [][][]byte{memory, want} {
		b[0] = alignedBytes(len(m.weights) + 2*cellBytes)
		b[0][cellBytes-1], b[0][len(b[0])-cellBytes] = 0xa5, 0xa5
		b[1] = b[0][cellBytes : len(b[0])-cellBytes]
	}
	m.weights = memory[1]
	row, runs := len(weight)/s.Out, s.runs(perCell)
	for panel := s.Panels() - 1; panel >= 0; panel-- {
		c.Pack(panel, weight[panel*Lanes*row:min((panel+1)*Lanes, s.Out)*row])
		r := runOf(runs, panel)
		for o := panel * Lanes; o < (panel+1)*Lanes; o++ {
			for i := r.block0 * perCell; i < min((r.block0+r.blocks)*perCell, s.In); i++ {
				define(want[1], o, i)
			}
		}
		if !bytes.Equal(memory[0], want[0]) {
			for i, b := range memory[0] {
				if b != want[0][i] {
					t.Fatalf("after panel %d: byte %d of %d is %#x, want %#x", panel, i-cellBytes, len(want[1]), b, want[0][i])
				}
			}
		}
	}
}

// kernelOf is a kernel: zeros between groups, and for what fills a panel up.
func kernelOf(s model.Conv, weight []float32, o, i int) (g [kernelTaps]float64) {
	outs, ins := s.Out/s.Groups, s.In/s.Groups
	if o < s.Out && o/outs == i/ins {
		for t, w := range weight[(o*ins+i%ins)*kernelTaps:][:kernelTaps] {
			g[t] = float64(w)
		}
	}
	return g
}

// transformed is G g GT.
func transformed(f *winograd.Matrices, g [kernelTaps]float64) []float32 {
	var out []float32
	for _, p := range f.G {
		var half [winograd.Taps]float64
		for x := range half {
			half[x] = float64(float64(p[0]*g[x])+float64(p[1]*g[3+x])) + float64(p[2]*g[6+x])
		}
		for _, q := range f.G {
			out = append(out, float32(float64(float64(q[0]*half[0])+float64(q[1]*half[1]))+float64(q[2]*half[2])))
		}
	}
	return out
}

// The memory that Pack writes to; -benchtime 1x has the page faults in it.
func BenchmarkPack(b *testing.B) {
	s := model.Conv{In: 512, Out: 512, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}
	weight, _ := randomFloats(rand.New(rand.NewPCG(1, 1)), tensor.Numel(s.WeightShape()), 1)
	run := func(c interface {
		Algorithm() string
		Panels() int
		Pack(panel int, rows []float32)
		Bytes() int
		Release()
	}, v *Variant) {
		b.Run(fmt.Sprintf("%v/%s", v, c.Algorithm()), func(b *testing.B) {
			b.SetBytes(int64(c.Bytes()))
			for b.Loop() {
				for p := range c.Panels() {
					c.Pack(p, weight[p*Lanes*len(weight)/s.Out:])
				}
			}
		})
		c.Release()
	}
	for _, v := range Variants() {
		for e := range elemCount {
			if c, err := v.NewConv(s, Format{Elem: e}); err == nil {
				run(c, v)
			}
			for _, m := range winograd.Outputs() {
				if c, err := v.NewWinograd(s, m, e); err == nil {
					run(c, v)
				}
			}
		}
	}
}
