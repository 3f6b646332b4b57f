package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

// softmaxTolerance is relative. The exponent, the exponential, the sum and the
// quotient are each rounded to float32 once. PyTorch's own results are within 3e-6.
const softmaxTolerance = 3e-6

func TestSoftmax(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := 1; n <= 1000; n = n*3/2 + 1 {
		logits := make([]float32, n)
		for i := range logits {
			logits[i] = float32(rng.NormFloat64() * 10)
		}
		sum := 0.0
		for _, v := range logits {
			sum += math.Exp(float64(v))
		}
		got := make([]float32, n)
		Softmax(got, logits)
		for i, v := range logits {
			want := math.Exp(float64(v)) / sum
			if math.Abs(float64(got[i])-want) > softmaxTolerance*want {
				t.Fatalf("n=%d: score %d is %v, want %v", n, i, got[i], want)
			}
		}
	}
}

func TestSoftmaxSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct{ logits, want []float32 }{
		{nil, nil},
		{[]float32{3}, []float32{1}},
		{[]float32{1e30, 1e30}, []float32{.5, .5}},
		{[]float32{200, 0, -inf}, []float32{1, 0, 0}}, // underflow to exactly 0
		{[]float32{0, -104.5}, []float32{1, 0}},
		{[]float32{1, nan}, []float32{nan, nan}},
		{[]float32{1, inf}, []float32{nan, nan}},
		{[]float32{-inf, -inf}, []float32{nan, nan}},
	} {
		x := append([]float32(nil), c.logits...)
		Softmax(x, x)
		for i, got := range x {
			if got != c.want[i] && !(got != got && c.want[i] != c.want[i]) {
				t.Errorf("Softmax(%v) is %v, want %v", c.logits, x, c.want)
				break
			}
		}
	}
	// These are PyTorch's results.
	x := []float32{1, .3, -95, -90}
	Softmax(x, x)
	for i, want := range []float32{0.6681877374649048, 0.33181220293045044, 1.356456913466423e-42, 2.0141843736665623e-40} {
		if math.Abs(float64(x[i]-want)) > softmaxTolerance*float64(want)+3e-45 {
			t.Errorf("score %d is %v, want %v", i, x[i], want)
		}
	}
}

func TestArgMax(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		row  []float32
		want int
	}{
		{[]float32{1}, 0},
		{[]float32{1, 2, 2}, 1},
		{[]float32{0, 0, 0}, 0},
		{[]float32{-2, -1}, 1},
		{[]float32{5, nan, 9, nan}, 1},
	} {
		if got := ArgMax(c.row); got != c.want {
			t.Errorf("ArgMax(%v) is %d, want %d", c.row, got, c.want)
		}
	}
}
