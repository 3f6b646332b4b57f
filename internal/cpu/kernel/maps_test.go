package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// guard stands around the memory that a kernel may write.
const guard = -12345.5

var nan = float32(math.NaN())

// place writes values, images of channels of rows, into maps.
func place(m *Maps, values []float64) {
	size := m.Channels * m.H * m.W
	for k, v := range values {
		i, c, y, x := k/size, k%size/(m.H*m.W), k/m.W%m.H, k%m.W
		m.Data[i*m.Len()+m.at(c/m.cell(), y, x)+c%m.cell()] = float32(v)
	}
}

// randomMaps are maps with random values, zero borders and zero spare lanes.
func randomMaps(rng *rand.Rand, l Layout, n int) (*Maps, []float64) {
	m := &Maps{l, AlignedFloats(n * l.Len())}
	_, values := floats(rng, n*l.Channels*l.H*l.W, 1)
	place(m, values)
	return m, values
}

// guarded are maps full of guard values, with more of them around.
func guarded(l Layout, n int) (*Maps, []float32) {
	all := AlignedFloats(n*l.Len() + 2*Lanes)
	for i := range all {
		all[i] = guard
	}
	return &Maps{l, all[Lanes : len(all)-Lanes]}, all
}

// floats are normally distributed values, in both types.
func floats(rng *rand.Rand, n int, scale float64) ([]float32, []float64) {
	a, b := make([]float32, n), make([]float64, n)
	for i := range a {
		a[i] = float32(rng.NormFloat64() * scale)
		b[i] = float64(a[i])
	}
	return a, b
}

func layout(channels, h, w int, border func(h, w int) (int, int, int, int)) Layout {
	l := Layout{Channels: channels, H: h, W: w}
	if border != nil {
		l.Top, l.Left, l.Bottom, l.Right = border(h, w)
	}
	return l
}

// oddBorder is a border that no kernel asks for: what surrounds an output is
// the next layer's business.
func oddBorder(int, int) (top, left, bottom, right int) { return 1, 2, 1, 1 }

// checkMaps holds maps against the reference, each value relative to its
// magnitude, and everything around them against the guards. It returns the
// largest error relative to the magnitude.
func checkMaps(t *testing.T, got *Maps, all []float32, want, magnitude []float64, n int, tolerance float64) float64 {
	t.Helper()
	seen := make([]bool, len(all))
	size, worst := got.Channels*got.H*got.W, 0.0
	for k, w := range want {
		i, c, y, x := k/size, k%size/(got.H*got.W), k/got.W%got.H, k%got.W
		at := i*got.Len() + got.at(c/Lanes, y, x) + c%Lanes
		seen[at+Lanes] = true
		g := float64(got.Data[at])
		if !(math.Abs(g-w) <= tolerance*(magnitude[k]+1e-30)) {
			t.Fatalf("image %d channel %d at %d, %d: got %v, want %v (magnitude %v)", i, c, y, x, g, w, magnitude[k])
		}
		worst = max(worst, math.Abs(g-w)/(magnitude[k]+1e-30))
	}
	for i := range n {
		for b := range got.Blocks() {
			for y := range got.H {
				from := i*got.Len() + got.at(b, y, 0) + Lanes
				for j := range got.W * Lanes {
					if !seen[from+j] && all[from+j] != 0 {
						t.Fatalf("spare lane of block %d at row %d is %v", b, y, all[from+j])
					}
					seen[from+j] = true
				}
			}
		}
	}
	for i, v := range all {
		if !seen[i] && v != guard {
			t.Fatalf("value %d of %d, outside of the output, is %v", i-Lanes, len(all), v)
		}
	}
	return worst
}

// mapSizes are map sizes in which each height and each width up to 40 occurs
// several times.
func mapSizes() [][2]int {
	const most = 40
	rng := rand.New(rand.NewPCG(40, 40))
	var sizes [][2]int
	for i := 1; i <= most; i++ {
		sizes = append(sizes, [2]int{i, i}, [2]int{i, most + 1 - i})
	}
	for range 20 {
		sizes = append(sizes, [2]int{1 + rng.IntN(most), 1 + rng.IntN(most)})
	}
	return sizes
}

// differ reports where two slices first differ, or -1.
func differ(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

// withWeights packs all panels of a convolution.
func withWeights(c *Conv, err error) func(weight []float32) (*Conv, error) {
	return func(weight []float32) (*Conv, error) {
		if err == nil {
			packAll(c, c.Conv, weight)
		}
		return c, err
	}
}
