package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"repvgg/internal/cpu/winograd"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// packed is a convolution whose weights are set.
type packed interface {
	Panels() int
	Pack(panel int, rows []float32)
}

// packAll packs all panels.
func packAll(c packed, s model.Conv, weight []float32) {
	row := s.In / s.Groups * s.Taps()
	for p := range c.Panels() {
		c.Pack(p, weight[p*Lanes*row:min((p+1)*Lanes, s.Out)*row])
	}
}

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
			size := (products*stride + 1) * Lanes
			run := func(f weightsFunc) []float32 {
				all := AlignedFloats(size)
				for i := range all {
					all[i] = guard
				}
				f(&src[0], &all[Lanes], stride*cellBytes, &scratch[0], channels)
				return all
			}
			want := run(weightsGo(winograd.New(m)))
			for _, v := range Variants() {
				got := run(v.transforms[m].weights)
				for i := range want {
					if !sameNumber(got[i], want[i]) {
						t.Fatalf("%v, F(%d, 3), %d channels: word %d is %v, want %v", v, m, channels, i-Lanes, got[i], want[i])
					}
				}
				if v.BF16() && m == 2 && channels%2 == 0 {
					checkPairs(t, run(v.weightsBF16), want, products, stride, channels)
				}
			}
		}
	}
}

// checkPairs holds words of bf16 values against what they are rounded from.
func checkPairs(t *testing.T, got, want []float32, products, stride, channels int) {
	t.Helper()
	words := make([]float32, len(want))
	for i := range words {
		words[i] = guard
	}
	for p := range products {
		for c := range channels {
			for l := range Lanes {
				setHalf(&words[(1+p*stride+c/2)*Lanes+l], c%2, want[(1+p*stride+c)*Lanes+l])
			}
		}
	}
	for i, w := range words {
		for half := range 2 {
			bits := func(x float32) float32 { return math.Float32frombits(math.Float32bits(x) >> (16 * half) << 16) }
			if !sameNumber(bits(got[i]), bits(w)) {
				t.Fatalf("%d channels: half %d of word %d is %v, want %v", channels, half, i-Lanes, bits(got[i]), bits(w))
			}
		}
	}
}

// Each packed weight is what its definition says, bit for bit, wherever it comes
// from, and only a panel's own are set.
func TestPack(t *testing.T) {
	for _, c := range []struct{ in, out, groups int }{
		{16, 16, 1}, {5, 7, 1}, {17, 18, 1}, {48, 40, 1}, {31, 33, 1}, {12, 20, 2}, {18, 24, 3}, {80, 80, 2}, {96, 48, 3}, {66, 130, 2}, {18, 18, 18}, {18, 36, 18},
	} {
		s := model.Conv{In: c.in, Out: c.out, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: c.groups}
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(c.in), uint64(c.out)))
			weight, _ := floats(rng, tensor.Numel(s.WeightShape()), 1)
			weight[0], weight[len(weight)-1] = 1e-42, float32(math.Copysign(0, -1))
			for _, v := range Variants() {
				for _, m := range winograd.Outputs() {
					w, err := v.NewWinograd(s, m, nil)
					if err != nil {
						t.Fatal(err)
					}
					checkPacked(t, w, &w.weights, s, weight, func(o, i int, set func(at int, value float32)) {
						r := runOf(w.runs, o/Lanes)
						at := ((r.at+(o/Lanes-r.panel0)*r.blocks)*Lanes+i-r.block0*Lanes)*Lanes + o%Lanes
						for p, value := range transformed(w.f, kernelOf(s, weight, o, i)) {
							set(p*w.product+at, value)
						}
					})
				}
				d, err := v.NewConv(s, false, nil)
				if err != nil {
					t.Fatal(err)
				}
				checkPacked(t, d, &d.weights, s, weight, func(o, i int, set func(at int, value float32)) {
					r := runOf(d.runs, o/Lanes)
					b, lane := i/Lanes-r.block0, i%Lanes
					for tap, value := range kernelOf(s, weight, o, i) {
						set((((r.at+(o/Lanes-r.panel0)*r.blocks+b)*kernelTaps+tap)*Lanes+lane)*Lanes+o%Lanes, float32(value))
					}
				})
			}
		})
	}
}

// checkPacked packs each panel on its own, the last first. define sets the words
// of a pair of channels; a word of none is zero.
func checkPacked(t *testing.T, c packed, weights *[]float32, s model.Conv, weight []float32, define func(o, i int, set func(at int, value float32))) {
	t.Helper()
	all := AlignedFloats(len(*weights) + 2*Lanes)
	all[Lanes-1], all[len(all)-Lanes] = guard, guard
	*weights = all[Lanes : len(all)-Lanes]
	want := make([]float32, len(all))
	want[Lanes-1], want[len(all)-Lanes] = guard, guard
	row := s.In / s.Groups * s.Taps()
	for panel := c.Panels() - 1; panel >= 0; panel-- {
		last := min((panel+1)*Lanes, s.Out)
		c.Pack(panel, weight[panel*Lanes*row:last*row])
		for o := panel * Lanes; o < (panel+1)*Lanes; o++ {
			for _, i := range inputsOf(s, panel) {
				define(o, i, func(at int, value float32) { want[Lanes+at] = value })
			}
		}
		if at := differ(all, want); at >= 0 {
			t.Fatalf("%T, after panel %d: word %d is %v, want %v", c, panel, at-Lanes, all[at], want[at])
		}
	}
}

// inputsOf are the input channels of the cells that a panel reads.
func inputsOf(s model.Conv, panel int) (channels []int) {
	r := runOf(shape{s}.runs(Lanes), panel)
	for i := r.block0 * Lanes; i < min((r.block0+r.blocks)*Lanes, s.In); i++ {
		channels = append(channels, i)
	}
	return channels
}

// kernelOf is a kernel, which is zeros between groups and for what fills a panel up.
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

func BenchmarkPack(b *testing.B) {
	s := model.Conv{In: 512, Out: 512, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}
	weight, _ := floats(rand.New(rand.NewPCG(1, 1)), tensor.Numel(s.WeightShape()), 1)
	run := func(name string, c packed, err error, bytes int) {
		b.Run(name, func(b *testing.B) {
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(bytes))
			for b.Loop() {
				packAll(c, s, weight)
			}
		})
	}
	for _, v := range Variants() {
		for _, m := range winograd.Outputs() {
			c, err := v.NewWinograd(s, m, nil)
			run(fmt.Sprintf("%v/F%d", v, m), c, err, c.Bytes())
		}
		c, err := v.NewConv(s, false, nil)
		run(fmt.Sprintf("%v/direct", v), c, err, c.Bytes())
		if v.BF16() {
			w, err := v.NewBF16Winograd(s, nil)
			run(fmt.Sprintf("%v/F2-bf16", v), w, err, w.Bytes())
			c, err := v.NewBF16Conv(s, nil)
			run(fmt.Sprintf("%v/direct-bf16", v), c, err, c.Bytes())
		}
	}
}
