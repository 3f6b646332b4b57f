package reference

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestQuick: the quick convolution is the definition.
func TestQuick(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []Conv{
		{In: 3, Out: 5, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1},
		{In: 12, Out: 8, Kernel: 3, Stride: 1, Pad: 2, Dilation: 2, Groups: 4},
		{In: 7, Out: 3, Kernel: 1, Stride: 1, Dilation: 1, Groups: 1},
	} {
		const h, w = 5, 9
		weight, x, bias := make([]float32, c.Out*c.In/c.Groups*c.Kernel*c.Kernel), make([]float64, c.In*h*w), make([]float64, c.Out)
		for i := range weight {
			weight[i] = float32(rng.NormFloat64())
		}
		for _, v := range [][]float64{x, bias} {
			for i := range v {
				v[i] = rng.NormFloat64()
			}
		}
		for _, bias := range [][]float64{nil, bias} {
			got := c.quick(weight, bias, x, h, w)
			want, magnitude := c.Apply(Widen(weight), bias, x, h, w)
			if len(got) != len(want) {
				t.Fatalf("%+v: %d values, want %d", c, len(got), len(want))
			}
			for i := range want {
				if math.Abs(got[i]-want[i]) > 1e-14*magnitude[i] {
					t.Errorf("%+v: value %d is %v, want %v", c, i, got[i], want[i])
				}
			}
		}
	}
}

// TestApplyByHand: 3x3 ones over 1 2 / 3 -4, padded, less 10.
func TestApplyByHand(t *testing.T) {
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1}
	out, magnitude := Conv{In: 1, Out: 1, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}.Apply(ones, []float64{-10}, []float64{1, 2, 3, -4}, 2, 2)
	for i := range out {
		if out[i] != -8 || magnitude[i] != 20 {
			t.Errorf("value %d is %v, of magnitude %v", i, out[i], magnitude[i])
		}
	}
}
