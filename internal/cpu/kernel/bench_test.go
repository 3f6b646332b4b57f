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
	weight, _ := floats(rng, tensor.Numel(s.WeightShape()), 0.02)
	bias, _ := floats(rng, s.Out, 1)
	oh, ow := s.OutSize(h, h)
	var scratch Scratch
	var run func()
	var border func(h, w int) (int, int, int, int)
	planar := s.In == 3
	dst := &Maps{Layout: layout(s.Out, oh, ow, func(int, int) (int, int, int, int) { return 1, 1, 2, 2 })}
	dst.Data = AlignedFloats(n * dst.Len())
	var src *Maps
	if m == 0 {
		c, err := withWeights(v.NewConv(s, planar, bias))(weight)
		if err != nil {
			b.Fatal(err)
		}
		border = c.Border
		run = func() {
			c.Run(dst, src, n, 0, 1, Epilogue{ReLU: true}, &scratch)
		}
	} else {
		c, err := v.NewWinograd(s, m, bias)
		if err != nil {
			b.Fatal(err)
		}
		packAll(c, s, weight)
		border = c.Border
		run = func() { c.Run(dst, src, n, 0, 1, Epilogue{ReLU: true}, &scratch) }
	}
	l := layout(s.In, h, h, border)
	l.Planar = planar
	src, _ = randomMaps(rng, l, n)
	for b.Loop() {
		run()
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
