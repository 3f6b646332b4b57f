package kernel

import (
	"fmt"
	"math/rand/v2"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"testing"
)

// The layers of RepVGG-A0 and B1 at 224x224, one thread. GFLOP/s count the
// products of the definition, so that Winograd's may exceed the processor's.

func benchmarkLayer(b *testing.B, v *Variant, s model.Conv, m, n, h int) {
	rng := rand.New(rand.NewPCG(1, 1))
	weight, _ := randomFloats(rng, tensor.Numel(s.WeightShape()), 0.02)
	bias, _ := randomFloats(rng, s.Out, 1)
	oh, ow := s.OutSize(h, h)
	var scratch Scratch
	in := Format{Planar: s.In == 3}
	var c convolution
	if m == 0 {
		c = packed(v.NewConv(s, in))(b, weight)
	} else {
		c = packed(v.NewWinograd(s, m, Float32))(b, weight)
	}
	l := layoutOf(s.In, h, h, c.Halo)
	l.Format = in
	src, _ := randomMaps(rng, l, n)
	dst := newMaps(layoutOf(s.Out, oh, ow, func(int, int) Halo { return Halo{1, 1, 2, 2} }), n)
	ep := Epilogue{Bias: PadChannels(bias), ReLU: true}
	for b.Loop() {
		c.Run(dst, src, n, ep, Share{0, 1, &scratch})
	}
	us := b.Elapsed().Seconds() * 1e6 / float64(b.N*n)
	b.ReportMetric(us, "us/image")
	b.ReportMetric(2*float64(tensor.Numel(s.WeightShape())*oh*ow)/us*1e-3, "GFLOP/s")
}

func BenchmarkConv(b *testing.B) {
	for _, v := range Variants()[:len(Variants())-1] {
		for _, l := range []struct{ in, out, stride, h, n int }{
			{3, 48, 2, 224, 1}, {48, 48, 2, 112, 1}, {48, 96, 2, 56, 1}, {96, 192, 2, 28, 16}, {192, 1280, 2, 14, 16}, {192, 192, 1, 14, 4},
			{64, 128, 2, 112, 1}, {256, 512, 2, 28, 4}, {512, 2048, 2, 14, 4},
		} {
			b.Run(fmt.Sprintf("%v/%d-%d-s%d-%d", v, l.in, l.out, l.stride, l.h), func(b *testing.B) {
				benchmarkLayer(b, v, model.Conv{In: l.in, Out: l.out, KernelH: 3, KernelW: 3, Stride: l.stride, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}, 0, l.n, l.h)
			})
		}
	}
}

func BenchmarkWinograd(b *testing.B) {
	for _, v := range Variants()[:len(Variants())-1] {
		for _, l := range []struct{ c, h, n int }{{48, 56, 1}, {96, 28, 1}, {192, 14, 16}, {192, 14, 1}, {128, 56, 1}, {256, 28, 1}, {512, 14, 16}, {512, 14, 1}} {
			for _, m := range []int{2, 4, 5} {
				b.Run(fmt.Sprintf("%v/F%d/%d-%d-n%d", v, m, l.c, l.h, l.n), func(b *testing.B) {
					benchmarkLayer(b, v, model.Conv{In: l.c, Out: l.c, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}, m, l.n, l.h)
				})
			}
		}
	}
}
