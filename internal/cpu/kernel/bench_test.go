package kernel

import (
	"fmt"
	"testing"
)

func BenchmarkConv(b *testing.B) {
	for _, bench := range []struct {
		name string
		s    ConvShape
		size int
	}{
		{"Stem", ConvShape{In: 3, Out: 48, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1}, 224},
		{"48at56", ConvShape{In: 48, Out: 48, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}, 56},
		{"192at14", ConvShape{In: 192, Out: 192, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}, 14},
		{"48to96at28", ConvShape{In: 48, Out: 96, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1}, 56},
		{"96at28", ConvShape{In: 96, Out: 96, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}, 28},
		{"512at14", ConvShape{In: 512, Out: 512, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}, 14},
		{"192at14x1", ConvShape{In: 192, Out: 192, Kernel: 1, Stride: 1, Dilation: 1, Groups: 1}, 14},
		{"192to1280at7", ConvShape{In: 192, Out: 1280, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1}, 14},
	} {
		for _, v := range Variants() {
			b.Run(bench.name+"/"+v.String(), func(b *testing.B) {
				rng := newRand(1)
				c, err := v.NewConv(bench.s, randomSlice(rng, bench.s.WeightLen()).data(), nil)
				if err != nil {
					b.Fatal(err)
				}
				oh, ow := c.OutSize(bench.size, bench.size)
				src, dst := randomSlice(rng, c.In*bench.size*bench.size).data(), make([]float32, c.Out*oh*ow)
				var scratch Scratch
				for b.Loop() {
					c.Run(dst, src, bench.size, bench.size, Part{0, oh * ow, 0, c.Panels()}, Epilogue{ReLU: true}, &scratch)
				}
				flops := 2 * float64(c.depth()) * float64(len(dst))
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
			})
		}
	}
}

// BenchmarkMicroKernel is the bound of the convolutions: all operands in L1.
func BenchmarkMicroKernel(b *testing.B) {
	const depth = 96
	for _, v := range Variants() {
		for i, gemm := range v.gemm {
			pixels := (i + 1) * v.lanes
			b.Run(fmt.Sprintf("%v/%dx%d", v, v.rows, pixels), func(b *testing.B) {
				rng := newRand(1)
				dst, weights := make([]float32, v.rows*pixels), randomSlice(rng, depth*v.rows).data()
				strips, offsets := randomSlice(rng, depth*pixels).data(), make([]int32, depth)
				for k := range offsets {
					offsets[k] = int32(k * pixels)
				}
				for b.Loop() {
					gemm(dst, pixels, nil, weights, weights, strips, offsets, true)
				}
				b.ReportMetric(2*float64(depth*len(dst))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
			})
		}
	}
}
