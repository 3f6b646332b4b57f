package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The tolerances of float32 against the float64 reference.
const (
	// convTolerance and linearTolerance are relative to the sum of the
	// magnitudes of an output's products: rounding grows with those, not with
	// the result, which may cancel out. It is far above the 6e-8 of one
	// rounding because a float32 sum of thousands of terms rounds thousands of
	// times, and far below what one wrong product does.
	convTolerance   = 2e-6
	linearTolerance = 2e-6
	// The element-wise steps are a few roundings, relative to the operands.
	elementTolerance = 2e-7
)

// guard surrounds a buffer: whatever is read from there becomes NaN, whatever
// is written there is noticed.
const guardLen = 16

var guardBits = uint32(0x7fc0beef)

type guarded struct{ all []float32 }

func newGuarded(n int) guarded {
	g := guarded{make([]float32, n+2*guardLen)}
	for i := range g.all {
		g.all[i] = math.Float32frombits(guardBits)
	}
	return g
}

func (g guarded) data() []float32 { return g.all[guardLen : len(g.all)-guardLen] }

func (g guarded) check(t *testing.T, what string) {
	t.Helper()
	for i := range guardLen {
		for _, v := range []float32{g.all[i], g.all[len(g.all)-1-i]} {
			if math.Float32bits(v) != guardBits {
				t.Fatalf("%s: a guard word was overwritten", what)
			}
		}
	}
}

func randomSlice(rng *rand.Rand, n int) guarded {
	g := newGuarded(n)
	for i := range g.data() {
		g.data()[i] = float32(rng.NormFloat64())
	}
	return g
}

// poison fills memory that must not be read before it is written.
func poison(x []float32) {
	for i := range x {
		x[i] = math.Float32frombits(guardBits)
	}
}

func widen(x []float32) []float64 {
	if x == nil {
		return nil
	}
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	return wide
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// close is |got-want| <= tolerance*scale; NaN equals NaN, Inf equals itself.
func closeTo(got float32, want, scale, tolerance float64) bool {
	g := float64(got)
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return math.IsNaN(g) && math.IsNaN(want) || g == want
	}
	return math.Abs(g-want) <= tolerance*scale
}

// checkConv compares all epilogues of a convolution with the reference, and
// checks that dividing the work changes no bit and touches nothing else.
func checkConv(t *testing.T, s ConvShape, h, w int, seed uint64) {
	t.Helper()
	oh, ow := s.OutSize(h, w)
	if oh < 1 || ow < 1 {
		return
	}
	rng := newRand(seed)
	weight, bias := randomSlice(rng, s.WeightLen()), randomSlice(rng, s.Out)
	src, add := randomSlice(rng, s.In*h*w), randomSlice(rng, s.Out*oh*ow)
	want, scale := RefConv(s, widen(weight.data()), widen(bias.data()), widen(src.data()), h, w)
	for _, variant := range Variants() {
		name := fmt.Sprintf("%v: %+v of %dx%d", variant, s, h, w)
		c, err := variant.NewConv(s, weight.data(), bias.data())
		if err != nil {
			t.Fatal(err)
		}
		var scratch Scratch
		scratch.Reserve(c, h, w)
		reserved := scratch
		poison(scratch.strips)
		all := Part{Pixel1: oh * ow, Panel1: c.Panels()}
		for _, e := range []Epilogue{{}, {ReLU: true}, {Add: add.data()}, {Add: add.data(), ReLU: true}} {
			dst := newGuarded(len(want))
			c.Run(dst.data(), src.data(), h, w, all, e, &scratch)
			dst.check(t, name)
			for i, got := range dst.data() {
				v, m := want[i], scale[i]
				if e.Add != nil {
					v, m = v+float64(e.Add[i]), m+math.Abs(float64(e.Add[i]))
				}
				if e.ReLU {
					v = RefReLU(v)
				}
				if !closeTo(got, v, m, convTolerance) {
					t.Fatalf("%s, epilogue %v %v: output %d is %v, want %v", name, e.Add != nil, e.ReLU, i, got, v)
				}
			}
			checkParts(t, name, c, dst.data(), src.data(), h, w, e, &scratch, rng)
		}
		if &scratch.strips[0] != &reserved.strips[0] || &scratch.offsets[0] != &reserved.offsets[0] {
			t.Fatalf("%s: Run needed more memory than Reserve made", name)
		}
	}
}

// checkParts computes the map again in pieces of random size, in place of Add.
func checkParts(t *testing.T, name string, c *Conv, want, src []float32, h, w int, e Epilogue, scratch *Scratch, rng *rand.Rand) {
	t.Helper()
	dst := newGuarded(len(want))
	if e.Add != nil {
		copy(dst.data(), e.Add)
		e.Add = dst.data()
	}
	pixels := len(want) / c.Out
	for p0 := 0; p0 < pixels; {
		p1 := min(p0+1+rng.IntN(pixels), pixels)
		for c0 := 0; c0 < c.Panels(); {
			c1 := min(c0+1+rng.IntN(c.Panels()), c.Panels())
			c.Run(dst.data(), src, h, w, Part{p0, p1, c0, c1}, e, scratch)
			c0 = c1
		}
		p0 = p1
	}
	dst.check(t, name)
	for i, got := range dst.data() {
		if math.Float32bits(got) != math.Float32bits(want[i]) {
			t.Fatalf("%s: output %d is %v in one piece, %v in several", name, i, want[i], got)
		}
	}
}

func TestConvSizes(t *testing.T) {
	for h := 1; h <= 9; h++ {
		for w := 1; w <= 9; w++ {
			for stride := 1; stride <= 3; stride++ {
				for _, dilation := range []int{1, 2, 4} {
					s := ConvShape{In: 3, Out: 5, Kernel: 3, Stride: stride, Pad: dilation, Dilation: dilation, Groups: 1}
					checkConv(t, s, h, w, uint64(h*100+w))
				}
				checkConv(t, ConvShape{In: 4, Out: 2, Kernel: 1, Stride: stride, Dilation: 1, Groups: 1}, h, w, uint64(h*100+w))
			}
		}
	}
}

func TestConvChannels(t *testing.T) {
	for in := 1; in <= 9; in++ {
		for out := 1; out <= 9; out++ {
			for groups := 1; groups <= in; groups++ {
				if in%groups != 0 || out%groups != 0 {
					continue
				}
				for _, kernel := range []int{1, 3} {
					s := ConvShape{In: in, Out: out, Kernel: kernel, Stride: 1, Pad: kernel / 2, Dilation: 1, Groups: groups}
					checkConv(t, s, 4, 5, uint64(in*10+out))
				}
			}
		}
	}
}

func TestConvShapes(t *testing.T) {
	for i, s := range []ConvShape{
		{In: 3, Out: 4, Kernel: 7, Stride: 2, Pad: 3, Dilation: 1, Groups: 1},
		{In: 2, Out: 4, Kernel: 2, Stride: 1, Pad: 0, Dilation: 3, Groups: 2},
		{In: 2, Out: 3, Kernel: 5, Stride: 3, Pad: 4, Dilation: 2, Groups: 1},
		{In: 8, Out: 8, Kernel: 3, Stride: 1, Pad: 0, Dilation: 1, Groups: 8},
		{In: 1, Out: 1, Kernel: 1, Stride: 1, Pad: 3, Dilation: 1, Groups: 1},
		{In: 900, Out: 9, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}, // several tiles
		{In: 900, Out: 9, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1},
	} {
		checkConv(t, s, 11, 13, uint64(i))
	}
	// Rows much longer than a tile.
	checkConv(t, ConvShape{In: 300, Out: 3, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}, 2, 200, 1)
	checkConv(t, ConvShape{In: 300, Out: 3, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1}, 3, 200, 1)
}

// Every width up to 40, and with it every number of columns of a vector.
func TestConvWidths(t *testing.T) {
	for w := 1; w <= 40; w++ {
		for _, h := range []int{1, 3, 14, 40} {
			for stride := 1; stride <= 2; stride++ {
				checkConv(t, ConvShape{In: 2, Out: 9, Kernel: 3, Stride: stride, Pad: 1, Dilation: 1, Groups: 1}, h, w, uint64(h*100+w))
			}
		}
	}
}

// Strips are shared between kernel rows where that saves memory, and tiles stay
// within their bound where one fits.
func TestTiles(t *testing.T) {
	wide := ConvShape{In: 300, Out: 1, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}
	for _, v := range Variants() {
		c, err := v.NewConv(wide, make([]float32, wide.WeightLen()), nil)
		if err != nil {
			t.Fatal(err)
		}
		for width, share := range map[int]bool{14: true, 5000: false} {
			tile := c.TilePixels(56, width)
			sets, n := c.layout(tile, width)
			if len(sets) == 1 != share {
				t.Errorf("%v: maps of width %d share strips: %v", v, width, !share)
			}
			if tile%v.pixels() != 0 || tile < 1 || n*c.In > stripFloats {
				t.Errorf("%v: width %d: %d pixels in a tile, %d values in its strips", v, width, tile, n*c.In)
			}
		}
	}
}

func FuzzConv(f *testing.F) {
	f.Add(uint8(3), uint8(5), uint8(1), uint8(3), uint8(1), uint8(1), uint8(1), uint8(7), uint8(6), uint64(1))
	f.Add(uint8(2), uint8(2), uint8(4), uint8(3), uint8(2), uint8(4), uint8(4), uint8(1), uint8(9), uint64(2))
	f.Fuzz(func(t *testing.T, in, out, groups, kernel, stride, pad, dilation, h, w uint8, seed uint64) {
		g := int(groups%5) + 1
		s := ConvShape{
			In: g * (int(in%5) + 1), Out: g * (int(out%7) + 1), Groups: g, Kernel: int(kernel%5) + 1,
			Stride: int(stride%4) + 1, Pad: int(pad % 6), Dilation: int(dilation%5) + 1,
		}
		checkConv(t, s, int(h%16)+1, int(w%16)+1, seed)
	})
}

func TestConvSpecialValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	s := ConvShape{In: 2, Out: 4, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}
	const h, w = 5, 6
	for _, special := range []float32{nan, inf, -inf, math.MaxFloat32} {
		rng := newRand(1)
		weight, src := randomSlice(rng, s.WeightLen()).data(), randomSlice(rng, s.In*h*w).data()
		src[2*w+3] = special
		want, scale := RefConv(s, widen(weight), nil, widen(src), h, w)
		for _, variant := range Variants() {
			c, err := variant.NewConv(s, weight, nil)
			if err != nil {
				t.Fatal(err)
			}
			var scratch Scratch
			dst := make([]float32, len(want))
			c.Run(dst, src, h, w, Part{0, h * w, 0, c.Panels()}, Epilogue{ReLU: true}, &scratch)
			for i, got := range dst {
				v := RefReLU(want[i])
				if v > math.MaxFloat32 {
					v = math.Inf(1)
				}
				if !closeTo(got, v, scale[i], convTolerance) {
					t.Errorf("%v: with %v in the input, output %d is %v, want %v", variant, special, i, got, v)
				}
			}
		}
	}
}

func TestNewConvRefuses(t *testing.T) {
	ok := ConvShape{In: 2, Out: 4, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 2}
	weight := make([]float32, ok.WeightLen())
	if _, err := NewConv(ok, weight, nil); err != nil {
		t.Fatal(err)
	}
	change := func(f func(*ConvShape)) ConvShape {
		s := ok
		f(&s)
		return s
	}
	for _, s := range []ConvShape{
		{},
		change(func(s *ConvShape) { s.In = 3 }),
		change(func(s *ConvShape) { s.Out = 5 }),
		change(func(s *ConvShape) { s.Stride = 0 }),
		change(func(s *ConvShape) { s.Pad = -1 }),
	} {
		if _, err := NewConv(s, weight, nil); err == nil {
			t.Errorf("%+v: no error", s)
		}
	}
	if _, err := NewConv(ok, weight[1:], nil); err == nil {
		t.Error("too few weights: no error")
	}
	if _, err := NewConv(ok, weight, make([]float32, 3)); err == nil {
		t.Error("too few biases: no error")
	}
}
