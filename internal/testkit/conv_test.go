package testkit

import (
	"math"
	"math/rand/v2"
	"testing"

	"repvgg/internal/model"
)

// TestQuick compares the quick convolution with the definition.
func TestQuick(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, shape := range []model.Conv{
		{In: 3, Out: 5, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
		{In: 12, Out: 8, KernelH: 3, KernelW: 3, Stride: 1, PadH: 2, PadW: 2, Dilation: 2, Groups: 4},
		{In: 4, Out: 4, KernelH: 1, KernelW: 3, Stride: 1, PadW: 1, Dilation: 1, Groups: 4},
		{In: 4, Out: 6, KernelH: 5, KernelW: 1, Stride: 2, PadH: 2, Dilation: 1, Groups: 2},
		{In: 7, Out: 3, KernelH: 1, KernelW: 1, Stride: 1, Dilation: 1, Groups: 1},
	} {
		c := Conv{shape}
		const h, w = 5, 9
		weight, x, bias := make([]float32, c.Out*c.In/c.Groups*c.Taps()), make([]float64, c.In*h*w), make([]float64, c.Out)
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

// TestApplyByHand convolves the padded map 1 2 / 3 -4 with a 3x3 kernel of ones and
// the bias -10.
func TestApplyByHand(t *testing.T) {
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1}
	out, magnitude := Conv{model.Conv{In: 1, Out: 1, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}}.Apply(ones, []float64{-10}, []float64{1, 2, 3, -4}, 2, 2)
	for i := range out {
		if out[i] != -8 || magnitude[i] != 20 {
			t.Errorf("value %d is %v, of magnitude %v", i, out[i], magnitude[i])
		}
	}
}
