package amxtest

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestFMA holds the model's fused multiply-add against exact arithmetic.
func TestFMA(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	wide := func() float32 { return math.Float32frombits(rng.Uint32()) }
	near := func() float32 { return float32(rng.NormFloat64()) * 0x1p-63 }
	for i := range 200000 {
		a, b, c := wide(), wide(), wide()
		switch i % 4 {
		case 1: // results near the smallest normal number
			a, b, c = near(), near(), float32(rng.NormFloat64())*0x1p-126
		case 2: // cancellation
			c = -a * b * float32(1+rng.NormFloat64()*0x1p-20)
		case 3:
			a, b, c = 1, float32(rng.NormFloat64()), float32(rng.NormFloat64())*0x1p-24
		}
		if s := a + b + c; s != s || math.IsInf(float64(a)+float64(b)+float64(c), 0) {
			continue
		}
		exact := func(x float32) *big.Float { return big.NewFloat(denormalZero(x)).SetPrec(2000) }
		sum := new(big.Float).SetPrec(2000).Mul(exact(a), exact(b))
		sum.Add(sum, exact(c))
		rounded := new(big.Float).SetPrec(24).Set(sum)
		want, _ := rounded.Float32() // exact unless denormal or too large
		if abs := new(big.Float).Abs(rounded); abs.Cmp(big.NewFloat(smallestNormal)) < 0 {
			want = 0
		}
		if got := fma(a, b, c); got != want {
			t.Fatalf("%v * %v + %v = %v, want %v", a, b, c, got, want)
		}
	}
}
