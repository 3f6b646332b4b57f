package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// guard stands around the memory that a kernel may write.
const guard = -12345.5

// randomMaps are maps with random values, zero borders and zero spare lanes.
func randomMaps(rng *rand.Rand, l Layout, n int) (*Maps, []float64) {
	m := &Maps{l, AlignedFloats(n * l.Len())}
	values := make([]float64, n*l.Channels*l.H*l.W)
	for k := range values {
		v := float32(rng.NormFloat64())
		values[k] = float64(v)
		i, c, y, x := k/(l.Channels*l.H*l.W), k/(l.H*l.W)%l.Channels, k/l.W%l.H, k%l.W
		m.Data[i*l.Len()+l.at(c/l.cell(), y, x)+c%l.cell()] = v
	}
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

func floats(rng *rand.Rand, n int, scale float64) ([]float32, []float64) {
	a, b := make([]float32, n), make([]float64, n)
	for i := range a {
		a[i] = float32(rng.NormFloat64() * scale)
		b[i] = float64(a[i])
	}
	return a, b
}

// checkMaps holds maps against the reference, each value relative to the sum of
// the absolute products, and the guards.
func checkMaps(t *testing.T, got *Maps, all []float32, want, magnitude []float64, n int, tolerance float64) {
	t.Helper()
	seen := make([]bool, len(all))
	size := got.Channels * got.H * got.W
	for k, w := range want {
		i, c, y, x := k/size, k/(got.H*got.W)%got.Channels, k/got.W%got.H, k%got.W
		at := i*got.Len() + got.at(c/Lanes, y, x) + c%Lanes
		seen[at+Lanes] = true
		if g := float64(got.Data[at]); !(math.Abs(g-w) <= tolerance*(magnitude[k]+1e-30)) {
			t.Fatalf("image %d channel %d at %d, %d: got %v, want %v (magnitude %v)", i, c, y, x, g, w, magnitude[k])
		}
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
}

func reference(s ConvShape, weight, bias, src []float64, n, h, w int, relu bool) (out, magnitude []float64) {
	size := s.In * h * w
	for i := range n {
		o, m := RefConv(s, weight, bias, src[i*size:][:size], h, w)
		out, magnitude = append(out, o...), append(magnitude, m...)
	}
	if relu {
		for i, v := range out {
			out[i] = RefReLU(v)
		}
	}
	return out, magnitude
}

func layout(channels, h, w int, border func(h, w int) (int, int, int, int)) Layout {
	l := Layout{Channels: channels, H: h, W: w}
	if border != nil {
		l.Top, l.Left, l.Bottom, l.Right = border(h, w)
	}
	return l
}

// directTolerance bounds the error of a sum of products relative to the sum of
// their absolute values: half a unit in the last place for each of some adds.
const directTolerance = 3e-6

func testDirect(t *testing.T, v *Variant, s ConvShape, n, h, w int, planar bool, ep Epilogue, seed uint64) {
	t.Helper()
	oh, ow := s.OutSize(h, w)
	if oh < 1 || ow < 1 {
		return
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	weight, weight64 := floats(rng, s.WeightLen(), 1)
	bias, bias64 := floats(rng, s.Out, 1)
	c, err := v.NewConv(s, planar, weight, bias)
	if err != nil {
		t.Fatal(err)
	}
	in := layout(s.In, h, w, c.Border)
	in.Planar = planar
	src, values := randomMaps(rng, in, n)
	dst, all := guarded(layout(s.Out, oh, ow, func(h, w int) (int, int, int, int) { return 1, 2, 1, 1 }), n)
	want, magnitude := reference(s, weight64, bias64, values, n, h, w, ep.ReLU && !ep.Add)
	if ep.Add {
		// Twice, the second time without the bias.
		plain, _ := reference(s, weight64, nil, values, n, h, w, false)
		for i := range want {
			want[i] += plain[i]
			if ep.ReLU {
				want[i] = RefReLU(want[i])
			}
		}
	}
	var scratch Scratch
	shares := 1 + int(seed)%4
	for share := range shares {
		if ep.Add {
			c.Run(dst, src, n, share, shares, Epilogue{}, &scratch)
		}
		c.Run(dst, src, n, share, shares, ep, &scratch)
	}
	checkMaps(t, dst, all, want, magnitude, n, directTolerance)
}

func TestConvShapes(t *testing.T) {
	shapes := []ConvShape{
		{In: 3, Out: 48, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1},
		{In: 16, Out: 32, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1},
		{In: 5, Out: 7, Kernel: 3, Stride: 1, Pad: 2, Dilation: 2, Groups: 1},
		{In: 40, Out: 72, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1},
		{In: 80, Out: 80, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 2},
		{In: 24, Out: 24, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 24},
		{In: 20, Out: 40, Kernel: 3, Stride: 2, Pad: 2, Dilation: 2, Groups: 4},
		{In: 33, Out: 65, Kernel: 1, Stride: 1, Dilation: 1, Groups: 1},
		{In: 32, Out: 48, Kernel: 1, Stride: 2, Dilation: 1, Groups: 2},
	}
	for _, v := range Variants() {
		for i, s := range shapes {
			t.Run(fmt.Sprintf("%v/%d", v, i), func(t *testing.T) {
				for _, size := range [][2]int{{1, 1}, {2, 5}, {7, 7}, {9, 16}, {14, 29}, {3, 61}} {
					for flags := range 4 {
						ep := Epilogue{Add: flags&1 != 0, ReLU: flags&2 != 0}
						testDirect(t, v, s, 2, size[0], size[1], false, ep, uint64(i))
						testDirect(t, v, s, 1, size[0], size[1], true, ep, uint64(i))
					}
				}
			})
		}
	}
}

// winogradTolerance is as directTolerance, for F(m, 3).
var winogradTolerance = map[int]float64{2: 3e-6, 4: 6e-6, 5: 1.2e-5}

func testWinograd(t *testing.T, v *Variant, s ConvShape, m, n, h, w int, relu bool, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	weight, weight64 := floats(rng, s.WeightLen(), 1)
	bias, bias64 := floats(rng, s.Out, 1)
	c, err := v.NewWinograd(s, m, bias)
	if err != nil {
		t.Fatal(err)
	}
	for p := range c.Panels() {
		c.Pack(p, weight)
	}
	src, values := randomMaps(rng, layout(s.In, h, w, c.Border), n)
	dst, all := guarded(layout(s.Out, h, w, func(h, w int) (int, int, int, int) { return 1, 2, 1, 1 }), n)
	want, magnitude := reference(s, weight64, bias64, values, n, h, w, relu)
	// A tile's error is shared by its outputs: hold it against the largest.
	largest := 0.0
	for _, m := range magnitude {
		largest = max(largest, m)
	}
	for i := range magnitude {
		magnitude[i] = largest
	}
	var scratch Scratch
	shares := 1 + int(seed)%4
	for share := range shares {
		c.Run(dst, src, n, share, shares, Epilogue{ReLU: relu}, &scratch)
	}
	checkMaps(t, dst, all, want, magnitude, n, winogradTolerance[m])
}

func TestWinogradShapes(t *testing.T) {
	shapes := []ConvShape{
		{In: 16, Out: 16, Groups: 1}, {In: 48, Out: 96, Groups: 1}, {In: 5, Out: 7, Groups: 1}, {In: 80, Out: 80, Groups: 2}, {In: 24, Out: 24, Groups: 24}, {In: 20, Out: 300, Groups: 1},
	}
	for _, v := range Variants() {
		for i, s := range shapes {
			s.Kernel, s.Stride, s.Pad, s.Dilation = 3, 1, 1, 1
			for m := range v.transforms {
				t.Run(fmt.Sprintf("%v/%d/F%d", v, i, m), func(t *testing.T) {
					for j, size := range [][2]int{{1, 1}, {2, 5}, {7, 7}, {14, 14}, {11, 29}} {
						testWinograd(t, v, s, m, 2, size[0], size[1], j%2 == 0, uint64(i))
					}
				})
			}
		}
	}
}
