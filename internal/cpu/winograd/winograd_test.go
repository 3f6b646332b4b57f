package winograd_test

import (
	"math"
	"testing"

	"repvgg/internal/cpu/winograd"
)

// The definition: each output is the sum of three products.
func TestFilters(t *testing.T) {
	for _, m := range winograd.Outputs() {
		f := winograd.New(m)
		if f.M != m || f.N != m+2 || len(f.AT) != m || len(f.G) != m+2 || len(f.BT) != m+2 {
			t.Fatalf("F(%d, 3): %+v", m, f)
		}
		// Unit vectors of inputs and taps are all there is to a bilinear map.
		for i := range f.N {
			for k := range winograd.Taps {
				for y := range m {
					sum := 0.0
					for p := range f.N {
						sum += f.AT[y][p] * f.G[p][k] * f.BT[p][i]
					}
					want := 0.0
					if i == y+k {
						want = 1
					}
					if math.Abs(sum-want) > 1e-12 {
						t.Errorf("F(%d, 3): output %d of input %d, tap %d: %g, want %g", m, y, i, k, sum, want)
					}
				}
			}
		}
	}
}

func TestExactInFloat32(t *testing.T) {
	for _, m := range winograd.Outputs() {
		f := winograd.New(m)
		for _, matrix := range [][][]float64{f.AT, f.BT} {
			for _, row := range matrix {
				for _, v := range row {
					if float64(float32(v)) != v {
						t.Errorf("F(%d, 3): %v is rounded in float32", m, v)
					}
				}
			}
		}
	}
}
