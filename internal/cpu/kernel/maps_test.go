package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// guard stands around the memory that a kernel may write.
const guard = -12345.5

var nan = float32(math.NaN())

// element is where a channel of an image's pixel is, in elements of m.data.
func (m *Maps) element(i, c, y, x int) int {
	return (i*m.Bytes()+m.at(c/m.channels(), y, x))/m.Elem.Size() + c%m.channels()
}

// value is a channel of an image's pixel.
func (m *Maps) value(i, c, y, x int) float64 {
	return float64(m.Elem.get(m.data, m.element(i, c, y, x)))
}

// place writes values, images of channels of rows, into maps.
func place(m *Maps, values []float64) {
	size := m.Channels * m.H * m.W
	for k, v := range values {
		i, c, y, x := k/size, k%size/(m.H*m.W), k/m.W%m.H, k%m.W
		m.Elem.put(m.data, m.element(i, c, y, x), float32(v))
	}
}

func newMaps(l Layout, n int) *Maps {
	m := NewMaps(l, n)
	return &m
}

// mapsOf are maps in memory of the test's.
func mapsOf(l Layout, memory []float32) *Maps {
	return &Maps{l, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)*wordBytes)}
}

// randomMaps are maps with random values, zero halos and zero spare lanes.
func randomMaps(rng *rand.Rand, l Layout, n int) (*Maps, []float64) {
	m := newMaps(l, n)
	_, values := randomFloats(rng, n*l.Channels*l.H*l.W, 1)
	place(m, values)
	return m, values
}

// guarded are maps full of guard words, with more of them around: all.
func guarded(l Layout, n int) (*Maps, []float32) {
	all := alignedFloats(n*l.Bytes()/wordBytes + 2*Lanes)
	for i := range all {
		all[i] = guard
	}
	return mapsOf(l, all[Lanes:len(all)-Lanes]), all
}

// randomFloats are normally distributed values, in both types.
func randomFloats(rng *rand.Rand, n int, scale float64) ([]float32, []float64) {
	a, b := make([]float32, n), make([]float64, n)
	for i := range a {
		a[i] = float32(rng.NormFloat64() * scale)
		b[i] = float64(a[i])
	}
	return a, b
}

func layoutOf(channels, h, w int, halo func(h, w int) Halo) Layout {
	l := Layout{Channels: channels, H: h, W: w}
	if halo != nil {
		l.Halo = halo(h, w)
	}
	return l
}

// oddHalo is a halo that no kernel asks for: what surrounds an output is
// the next layer's business.
func oddHalo(int, int) Halo { return Halo{1, 2, 1, 1} }

// checkMaps holds Float32 maps against the reference, each value relative to its
// magnitude, and everything around them against the guards. It returns the
// largest error relative to the magnitude.
func checkMaps(t *testing.T, got *Maps, all []float32, want, magnitude []float64, n int, tolerance float64) float64 {
	t.Helper()
	seen := make([]bool, len(all))
	size, worst := got.Channels*got.H*got.W, 0.0
	for k, w := range want {
		i, c, y, x := k/size, k%size/(got.H*got.W), k/got.W%got.H, k%got.W
		seen[got.element(i, c, y, x)+Lanes] = true
		g := got.value(i, c, y, x)
		if !(math.Abs(g-w) <= tolerance*(magnitude[k]+1e-30)) {
			t.Fatalf("image %d channel %d at %d, %d: got %v, want %v (magnitude %v)", i, c, y, x, g, w, magnitude[k])
		}
		worst = max(worst, math.Abs(g-w)/(magnitude[k]+1e-30))
	}
	for i := range n {
		for b := range got.Blocks() {
			for y := range got.H {
				from := (i*got.Bytes()+got.at(b, y, 0))/wordBytes + Lanes
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

// packed packs all panels of a convolution, unless it could not be made.
func packed[C interface {
	Panels() int
	Pack(panel int, rows []float32)
	WeightShape() []int
}](c C, err error) func(t testing.TB, weight []float32) C {
	return func(t testing.TB, weight []float32) C {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		row := len(weight) / c.WeightShape()[0]
		for p := range c.Panels() {
			c.Pack(p, weight[p*Lanes*row:])
		}
		return c
	}
}
