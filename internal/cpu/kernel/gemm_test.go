package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"repvgg/internal/testkit"
)

// registerTileCase is one call of a register tile.
type registerTileCase struct {
	rows, panels, segments, length, times int
	add, relu, bias                       bool
}

// Every register tile against the loops of gemmFunc's description.
func TestRegisterTiles(t *testing.T) {
	for _, v := range Variants() {
		for p := range v.gemm[Float32] {
			for r := range v.gemm[Float32][p] {
				rng := rand.New(rand.NewPCG(uint64(p), uint64(r)))
				for _, size := range [][3]int{{1, 1, 1}, {3, 1, 2}, {1, 16, 3}, {9, 16, 1}, {4, 3, 2}, {2, 50, 2}} {
					for flags := range 8 {
						c := registerTileCase{r + 1, p + 1, size[0], size[1], size[2], flags&1 != 0, flags&2 != 0, flags&4 != 0}
						checkRegisterTile(t, rng, v, c)
					}
				}
			}
		}
	}
}

// checkRegisterTile runs a tile whose rows and panels do not touch, nor it the next one: what lies
// between them must stay in the output, and is NaN in the operands.
func checkRegisterTile(t *testing.T, rng *rand.Rand, v *Variant, c registerTileCase) {
	t.Helper()
	name := fmt.Sprintf("%v: %+v", v, c)
	// In values. Odd strides: nothing may count on alignment.
	aStride := 1 + rng.IntN(40)
	aNext := c.rows*aStride + rng.IntN(9)
	offsets, reach := make([]int, c.segments), 0
	for s := range offsets {
		offsets[s] = rng.IntN(50) * wordBytes
		reach = max(reach, offsets[s]/wordBytes+c.length)
	}
	depth := c.segments * c.length
	bPanel := depth*Lanes + rng.IntN(20)
	cStride := Lanes + rng.IntN(5)
	cPanel := c.rows*cStride + rng.IntN(7)
	cNext := c.panels*cPanel + rng.IntN(7)

	a, b := filled(c.times*aNext+reach, nan), filled(c.panels*bPanel, nan)
	bias := filled(c.panels*Lanes, nan)
	all := filled(c.times*cNext+2*Lanes, guard)
	out := all[Lanes:]
	each := func(f func(tile, i, j, at int)) {
		for tile := range c.times {
			for i := range c.rows {
				for j := range c.panels * Lanes {
					f(tile, i, j, tile*cNext+i*cStride+j/Lanes*cPanel+j%Lanes)
				}
			}
		}
	}
	aAt := func(tile, i, s, k int) *float32 { return &a[tile*aNext+i*aStride+offsets[s]/wordBytes+k] }
	for j := range c.panels * Lanes {
		for k := range depth {
			b[j/Lanes*bPanel+k*Lanes+j%Lanes] = float32(rng.NormFloat64())
		}
		bias[j] = float32(rng.NormFloat64())
	}
	each(func(tile, i, j, at int) {
		if j == 0 {
			for s := range c.segments {
				for k := range c.length {
					*aAt(tile, i, s, k) = float32(rng.NormFloat64())
				}
			}
		}
		if c.add {
			out[at] = float32(rng.NormFloat64())
		}
	})
	before := append([]float32(nil), out...)

	var biasPointer *float32
	if c.bias {
		biasPointer = &bias[0]
	}
	v.gemm[Float32][c.panels-1][c.rows-1](words(a), aStride*wordBytes, aNext*wordBytes, &offsets[0], c.segments, c.length, words(b), bPanel*wordBytes, words(b),
		&out[0], cStride*wordBytes, cPanel*wordBytes, cNext*wordBytes, biasPointer, flag(c.add), flag(c.relu), c.times)

	each(func(tile, i, j, at int) {
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
				product := float64(*aAt(tile, i, s, k)) * float64(b[j/Lanes*bPanel+(s*c.length+k)*Lanes+j%Lanes])
				want += product
				magnitude += math.Abs(product)
			}
		}
		if c.relu {
			want = testkit.ReLU(want)
		}
		if !(math.Abs(float64(out[at])-want) <= directTolerance*magnitude) {
			t.Fatalf("%s: tile %d, row %d, column %d is %v, want %v", name, tile, i, j, out[at], want)
		}
		out[at] = guard
	})
	for i, x := range all {
		if x != guard {
			t.Fatalf("%s: wrote %v at %d, outside of the results", name, x, i-Lanes)
		}
	}
}

// words is the address of values that are a matrix of words.
func words(x []float32) *byte { return (*byte)(unsafe.Pointer(&x[0])) }

func filled(n int, v float32) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// NaN and infinities come out as the sums' definition has them, and ReLU keeps
// NaN.
func TestRegisterTilesSpecialValues(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, v := range Variants() {
		for p := range v.gemm[Float32] {
			for r := range v.gemm[Float32][p] {
				for _, c := range []struct{ a, b, plain, relu float32 }{
					{nan, 1, nan, nan}, {1, nan, nan, nan}, {inf, 1, inf, inf}, {inf, -1, -inf, 0}, {inf, 0, nan, nan}, {-2, 3, -6, 0},
					{math.MaxFloat32, 2, inf, inf}, {float32(math.Copysign(0, -1)), 1, 0, 0},
				} {
					rows, panels := r+1, p+1
					a, b, out := filled(rows, c.a), filled(panels*Lanes, c.b), filled(rows*panels*Lanes, guard)
					for relu, want := range []float32{c.plain, c.relu} {
						offset := 0
						v.gemm[Float32][p][r](words(a), wordBytes, 0, &offset, 1, 1, words(b), cellBytes, words(b), &out[0], cellBytes, rows*cellBytes, 0, nil, 0, relu, 1)
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
