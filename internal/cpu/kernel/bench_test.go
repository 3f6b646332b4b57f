package kernel

import "testing"

func BenchmarkConv(b *testing.B) {
	for _, bench := range []struct {
		name string
		s    ConvShape
		size int
	}{
		{"Stem", ConvShape{In: 3, Out: 48, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1}, 224},
		{"48at56", ConvShape{In: 48, Out: 48, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}, 56},
		{"192at14", ConvShape{In: 192, Out: 192, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}, 14},
		{"192at14x1", ConvShape{In: 192, Out: 192, Kernel: 1, Stride: 1, Dilation: 1, Groups: 1}, 14},
		{"192to1280at7", ConvShape{In: 192, Out: 1280, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1}, 14},
	} {
		b.Run(bench.name, func(b *testing.B) {
			rng := newRand(1)
			c, err := NewConv(bench.s, randomSlice(rng, bench.s.WeightLen()).data(), nil)
			if err != nil {
				b.Fatal(err)
			}
			oh, ow := c.OutSize(bench.size, bench.size)
			src, dst := randomSlice(rng, c.In*bench.size*bench.size).data(), make([]float32, c.Out*oh*ow)
			var scratch Scratch
			scratch.Reserve(c)
			for b.Loop() {
				c.Run(dst, src, bench.size, bench.size, Part{0, oh * ow, 0, c.Panels()}, Epilogue{ReLU: true}, &scratch)
			}
			flops := 2 * float64(c.depth()) * float64(len(dst))
			b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
		})
	}
}
