// Package winograd has the matrices of Winograd's minimal filtering algorithms
// F(m, 3): m neighbouring outputs of a filter with three taps from m+2 products.
//
// Nested with itself, F(m, 3) computes m x m outputs of a 3x3 convolution from
// an (m+2) x (m+2) tile d of the input and the taps g as
//
//	AT ((G g GT) . (BT d B)) A
//
// with (m+2)² products in place of 9m² (Lavin and Gray, Fast Algorithms for
// Convolutional Neural Networks, 2015). The matrices are those of Toom and Cook:
// a polynomial product evaluated at m+1 points and at infinity.
//
// The points decide how rounding errors grow. Those used here were found by
// trying all sets {0, ±a, ±b} and {±a, ±b, ±c} of short binary fractions on
// random maps: F(4, 3) has a quarter of the largest error of the usual points
// {0, ±1, ±2}, and F(5, 3) no larger one than they have (docs/numerics.md).
package winograd

import (
	"fmt"
	"math/big"
)

// Taps is the length of the filters.
const Taps = 3

// points are the finite points for each m; infinity makes m+2.
var points = map[int][]*big.Rat{
	2: {rat(0, 1), rat(1, 1), rat(-1, 1)},
	4: {rat(0, 1), rat(5, 8), rat(-5, 8), rat(3, 2), rat(-3, 2)},
	5: {rat(1, 4), rat(-1, 4), rat(7, 8), rat(-7, 8), rat(7, 4), rat(-7, 4)},
}

// Outputs are the m for which there are points.
func Outputs() []int { return []int{2, 4, 5} }

// Matrices are those of F(m, 3). The entries of AT and BT are exact in float32.
type Matrices struct {
	M, N int // outputs, and products: M+2
	AT   [][]float64
	G    [][]float64
	BT   [][]float64
}

// New computes the matrices for m outputs; m is one of Outputs.
func New(m int) *Matrices {
	p, ok := points[m]
	if !ok {
		panic(fmt.Sprintf("winograd: no points for F(%d, %d)", m, Taps))
	}
	f := &Matrices{M: m, N: len(p) + 1}
	f.AT = evaluate(p, m, false)
	for i := range f.AT {
		f.AT[i] = append(f.AT[i], boolFloat(i == m-1))
	}
	// G evaluates the filter, divided by what interpolation would divide by.
	f.G = transpose(evaluate(p, Taps, true))
	f.G = append(f.G, []float64{0, 0, 1})
	for i := range p {
		others := append(append([]*big.Rat{}, p[:i]...), p[i+1:]...)
		f.BT = append(f.BT, append(polynomial(others), 0))
	}
	f.BT = append(f.BT, polynomial(p))
	return f
}

// evaluate gives p[j]^i for i < rows, divided by the product of p[j] - p[k] if
// asked to.
func evaluate(p []*big.Rat, rows int, divide bool) [][]float64 {
	out := make([][]float64, rows)
	for j, x := range p {
		v := rat(1, 1)
		for k, y := range p {
			if divide && k != j {
				v.Quo(v, new(big.Rat).Sub(x, y))
			}
		}
		for i := range out {
			f, _ := v.Float64()
			out[i] = append(out[i], f)
			v.Mul(v, x)
		}
	}
	return out
}

// polynomial gives the coefficients, constant first, of the monic polynomial
// with these roots.
func polynomial(roots []*big.Rat) []float64 {
	c := []*big.Rat{rat(1, 1)}
	for _, r := range roots {
		next := make([]*big.Rat, len(c)+1)
		for k := range next {
			next[k] = new(big.Rat)
			if k > 0 {
				next[k].Add(next[k], c[k-1])
			}
			if k < len(c) {
				next[k].Sub(next[k], new(big.Rat).Mul(r, c[k]))
			}
		}
		c = next
	}
	out := make([]float64, len(c))
	for i, v := range c {
		out[i], _ = v.Float64()
	}
	return out
}

func transpose(a [][]float64) [][]float64 {
	out := make([][]float64, len(a[0]))
	for j := range out {
		for i := range a {
			out[j] = append(out[j], a[i][j])
		}
	}
	return out
}

func rat(a, b int64) *big.Rat { return big.NewRat(a, b) }

func boolFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
