package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"repvgg/internal/testkit"
)

// tileCase is one call of a register tile.
type tileCase struct {
	rows, panels, segments, length, blocks int
	add, relu, bias                        bool
}

// Every register tile against the loops of gemmFunc's description.
func TestTiles(t *testing.T) {
	for _, v := range Variants() {
		for p := range v.gemm {
			for r := range v.gemm[p] {
				rng := rand.New(rand.NewPCG(uint64(p), uint64(r)))
				for _, size := range [][3]int{{1, 1, 1}, {3, 1, 2}, {1, 16, 3}, {9, 16, 1}, {4, 3, 2}, {2, 50, 2}} {
					for flags := range 8 {
						c := tileCase{r + 1, p + 1, size[0], size[1], size[2], flags&1 != 0, flags&2 != 0, flags&4 != 0}
						checkTile(t, rng, v, c)
					}
				}
			}
		}
	}
}

// checkTile runs a tile whose rows, panels and blocks do not touch: what lies
// between them must stay in the output, and is NaN in the operands.
func checkTile(t *testing.T, rng *rand.Rand, v *Variant, c tileCase) {
	t.Helper()
	name := fmt.Sprintf("%v: %+v", v, c)
	// In values. Odd strides: nothing may count on alignment.
	aStride := 1 + rng.IntN(40)
	aNext := c.rows*aStride + rng.IntN(9)
	offsets, reach := make([]int, c.segments), 0
	for s := range offsets {
		offsets[s] = rng.IntN(50) * floatBytes
		reach = max(reach, offsets[s]/floatBytes+c.length)
	}
	depth := c.segments * c.length
	bPanel := depth*Lanes + rng.IntN(20)
	cStride := Lanes + rng.IntN(5)
	cPanel := c.rows*cStride + rng.IntN(7)
	cNext := c.panels*cPanel + rng.IntN(7)

	a, b := filled(c.blocks*aNext+reach, nan), filled(c.panels*bPanel, nan)
	bias := filled(c.panels*Lanes, nan)
	all := filled(c.blocks*cNext+2*Lanes, guard)
	out := all[Lanes:]
	each := func(f func(block, i, j, at int)) {
		for block := range c.blocks {
			for i := range c.rows {
				for j := range c.panels * Lanes {
					f(block, i, j, block*cNext+i*cStride+j/Lanes*cPanel+j%Lanes)
				}
			}
		}
	}
	aAt := func(block, i, s, k int) *float32 { return &a[block*aNext+i*aStride+offsets[s]/floatBytes+k] }
	for j := range c.panels * Lanes {
		for k := range depth {
			b[j/Lanes*bPanel+k*Lanes+j%Lanes] = float32(rng.NormFloat64())
		}
		bias[j] = float32(rng.NormFloat64())
	}
	each(func(block, i, j, at int) {
		if j == 0 {
			for s := range c.segments {
				for k := range c.length {
					*aAt(block, i, s, k) = float32(rng.NormFloat64())
				}
			}
		}
		if c.add {
			out[at] = float32(rng.NormFloat64())
		}
	})
	before := append([]float32(nil), out...)

	ep := Epilogue{Add: c.add, ReLU: c.relu}
	add, relu := ep.flags()
	var biasPointer *float32
	if c.bias {
		biasPointer = &bias[0]
	}
	v.gemm[c.panels-1][c.rows-1](&a[0], aStride*floatBytes, aNext*floatBytes, &offsets[0], c.segments, c.length, &b[0], bPanel*floatBytes, &b[0],
		&out[0], cStride*floatBytes, cPanel*floatBytes, cNext*floatBytes, biasPointer, add, relu, c.blocks)

	each(func(block, i, j, at int) {
		want := 0.0
		switch {
		case c.add:
			want = float64(before[at])
		case c.bias:
			want = float64(bias[j])
		}
		magnitude := math.Abs(want)
		for s := range c.segments {
			for k := range c.length {
				product := float64(*aAt(block, i, s, k)) * float64(b[j/Lanes*bPanel+(s*c.length+k)*Lanes+j%Lanes])
				want += product
				magnitude += math.Abs(product)
			}
		}
		if c.relu {
			want = testkit.ReLU(want)
		}
		if !(math.Abs(float64(out[at])-want) <= directTolerance*magnitude) {
			t.Fatalf("%s: block %d, row %d, column %d is %v, want %v", name, block, i, j, out[at], want)
		}
		out[at] = guard
	})
	for i, x := range all {
		if x != guard {
			t.Fatalf("%s: wrote %v at %d, outside of the results", name, x, i-Lanes)
		}
	}
}

func filled(n int, v float32) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// NaN and infinities come out as the sums' definition has them, and ReLU keeps
// NaN.
func TestTilesSpecialValues(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, v := range Variants() {
		for p := range v.gemm {
			for r := range v.gemm[p] {
				for _, c := range []struct{ a, b, plain, relu float32 }{
					{nan, 1, nan, nan}, {1, nan, nan, nan}, {inf, 1, inf, inf}, {inf, -1, -inf, 0}, {inf, 0, nan, nan}, {-2, 3, -6, 0},
					{math.MaxFloat32, 2, inf, inf}, {float32(math.Copysign(0, -1)), 1, 0, 0},
				} {
					rows, panels := r+1, p+1
					a, b, out := filled(rows, c.a), filled(panels*Lanes, c.b), filled(rows*panels*Lanes, guard)
					for relu, want := range []float32{c.plain, c.relu} {
						offset := 0
						v.gemm[p][r](&a[0], floatBytes, 0, &offset, 1, 1, &b[0], cellBytes, &b[0], &out[0], cellBytes, rows*cellBytes, 0, nil, 0, relu, 1)
						for i, got := range out {
							if !same(got, want) {
								t.Fatalf("%v, %d rows, %d panels: %v * %v with relu %d is %v at %d, want %v", v, rows, panels, c.a, c.b, relu, got, i, want)
							}
						}
					}
				}
			}
		}
	}
}

// same reports equal values, of which all NaN are one.
func same(x, y float32) bool { return x == y || x != x && y != y }
