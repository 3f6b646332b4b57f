package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"repvgg/internal/testkit"
)

// elementTolerance is of the operands' absolute values.
const elementTolerance = 2e-7

const minNormal = 0x1p-126

// specials are values that need care, and denormal numbers: these the vector
// variants take for zero, and they round results to zero that would be.
var specials = []float32{
	nan, float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)), 1, -1, 0.5,
	math.MaxFloat32, -math.MaxFloat32, minNormal, -minNormal, 1e-40, -1e-40, math.SmallestNonzeroFloat32, 1e-30, -3e30,
}

// cells are n cells of normal or of special values, with guards before and
// after.
func cells(rng *rand.Rand, n int, special bool) (data, all []float32) {
	all = filled((n+2)*Lanes, guard)
	data = all[Lanes : (n+1)*Lanes]
	for i := range data {
		data[i] = float32(rng.NormFloat64())
		if special && rng.IntN(3) == 0 {
			data[i] = specials[rng.IntN(len(specials))]
		}
	}
	return data, all
}

func checkGuards(t *testing.T, name string, all []float32) {
	t.Helper()
	for i := range Lanes {
		if all[i] != guard || all[len(all)-1-i] != guard {
			t.Fatalf("%s: wrote outside of its cells", name)
		}
	}
}

// eitherWay reports whether a result is right with denormal operands as they are
// or as zeros. (Their products with infinities differ.)
func eitherWay(right func(value func(float32) float64) bool) bool {
	return right(func(x float32) float64 { return float64(x) }) || right(func(x float32) float64 {
		if math.Abs(float64(x)) < minNormal {
			x = 0
		}
		return float64(x)
	})
}

// agree holds a value against the testkit. flush is what the result may be off
// by because denormal results become zero.
func agree(got float32, want, magnitude, flush float64) bool {
	switch {
	case math.IsNaN(want):
		return got != got
	case math.IsInf(want, 0):
		return float64(got) == want
	}
	return overflows(magnitude) || math.Abs(float64(got)-want) <= elementTolerance*magnitude+flush
}

// overflows reports that sums of finite operands with this magnitude may leave
// float32's range: that leaves the result open.
func overflows(magnitude float64) bool {
	return magnitude > math.MaxFloat32/2 && !math.IsInf(magnitude, 0)
}

func checkAddScaled(t *testing.T, v *Variant, dst, all, src, scale, shift []float32, relu bool) {
	t.Helper()
	name := fmt.Sprintf("%v: AddScaled of %d cells, relu %v", v, len(dst)/Lanes, relu)
	before := append([]float32(nil), dst...)
	v.AddScaled(dst, src, scale, shift, relu)
	checkGuards(t, name, all)
	for i, got := range dst {
		x, s, h, b := src[i], scale[i%Lanes], shift[i%Lanes], before[i]
		if !eitherWay(func(value func(float32) float64) bool {
			x, s, h, b := value(x), value(s), value(h), value(b)
			want := b + (s*x + h)
			if relu {
				want = testkit.ReLU(want)
			}
			product := math.Abs(s*x) + math.Abs(h)
			return overflows(math.Abs(s*x)) || overflows(product) || agree(got, want, math.Abs(b)+product, 4*minNormal)
		}) {
			t.Fatalf("%s: element %d: %v + (%v * %v + %v) is %v", name, i, b, s, x, h, got)
		}
	}
}

func checkGate(t *testing.T, v *Variant, dst, all, scale []float32, relu bool) {
	t.Helper()
	name := fmt.Sprintf("%v: Gate of %d cells, relu %v", v, len(dst)/Lanes, relu)
	before := append([]float32(nil), dst...)
	v.Gate(dst, scale, relu)
	checkGuards(t, name, all)
	for i, got := range dst {
		x, s := before[i], scale[i%Lanes]
		if !eitherWay(func(value func(float32) float64) bool {
			x, s := value(x), value(s)
			want := s * x
			if relu {
				want = testkit.ReLU(want)
			}
			return agree(got, want, math.Abs(s*x), minNormal)
		}) {
			t.Fatalf("%s: element %d: %v * %v is %v", name, i, x, s, got)
		}
	}
}

// checkPool pools block b of image i of maps whose other values are NaN.
func checkPool(t *testing.T, v *Variant, h, w int, values []float32) {
	t.Helper()
	name := fmt.Sprintf("%v: mean of %dx%d", v, h, w)
	l := layoutOf(2*Lanes, h, w, oddHalo)
	m := mapsOf(l, filled(2*l.Bytes()/wordBytes, nan))
	const image, block = 1, 1
	for y := range h {
		copy(m.Row(image, block, y), values[y*w*Lanes:])
	}
	all := filled(3*Lanes, guard)
	dst := all[Lanes : 2*Lanes]
	var scratch Scratch
	v.GlobalAvgPool(dst, m, image, block, &scratch)
	checkGuards(t, name, all)
	for c, got := range dst {
		channel, magnitude := make([]float64, h*w), 0.0
		for i := range channel {
			channel[i] = float64(values[i*Lanes+c])
			if v := math.Abs(channel[i]); !math.IsInf(v, 0) {
				magnitude += v / float64(h*w)
			}
		}
		// Sums of a row are in float32: an error for each addition.
		tolerance := 1 + float64(w)/2
		if want := testkit.Mean(channel); !overflows(magnitude*float64(h*w)) && !agree(got, want, tolerance*magnitude, minNormal) {
			t.Fatalf("%s: channel %d is %v, want %v", name, c, got, want)
		}
	}
}

func checkSigmoid(t *testing.T, x, all []float32) {
	t.Helper()
	before := append([]float32(nil), x...)
	Sigmoid(x)
	checkGuards(t, "Sigmoid", all)
	for i, got := range x {
		if want := testkit.Sigmoid(float64(before[i])); !agree(got, want, want, math.SmallestNonzeroFloat32) {
			t.Fatalf("sigmoid of %v is %v, want %v", before[i], got, want)
		}
	}
}

func TestElementwise(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	for n := 1; n <= 40; n++ {
		for _, v := range Variants() {
			for flags := range 4 {
				special := flags&2 != 0
				dst, all := cells(rng, n, special)
				src, _ := cells(rng, n, special)
				scale, _ := cells(rng, 1, special)
				shift, _ := cells(rng, 1, special)
				checkAddScaled(t, v, dst, all, src, scale, shift, flags&1 != 0)
				dst, all = cells(rng, n, special)
				checkGate(t, v, dst, all, scale, flags&1 != 0)
			}
		}
		x, all := cells(rng, n, n%2 == 0)
		checkSigmoid(t, x, all)
	}
}

func TestGlobalAvgPool(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	for _, size := range mapSizes() {
		for i, v := range Variants() {
			values, _ := cells(rng, size[0]*size[1], (size[0]+i)%5 == 0)
			checkPool(t, v, size[0], size[1], values)
		}
	}
}

// With specials, each operation has one exact answer.
func TestElementwiseSpecialValues(t *testing.T) {
	inf, negZero := float32(math.Inf(1)), float32(math.Copysign(0, -1))
	in := []float32{nan, inf, -inf, negZero, 200, -200}
	cell := func(x float32) []float32 { return filled(Lanes, x) }
	for _, v := range Variants() {
		for _, c := range []struct {
			name string
			f    func(x []float32)
			want []float32
		}{
			{"Gate by 0 and ReLU", func(x []float32) { v.Gate(x, cell(0), true) }, []float32{nan, nan, nan, 0, 0, 0}},
			{"Gate by 1 and ReLU", func(x []float32) { v.Gate(x, cell(1), true) }, []float32{nan, inf, 0, 0, 200, 0}},
			{"Gate by 1", func(x []float32) { v.Gate(x, cell(1), false) }, []float32{nan, inf, -inf, 0, 200, -200}},
			{"Gate by NaN and ReLU", func(x []float32) { v.Gate(x, cell(nan), true) }, []float32{nan, nan, nan, nan, nan, nan}},
			{"AddScaled and ReLU", func(x []float32) { v.AddScaled(x, x, cell(1), cell(0), true) }, []float32{nan, inf, 0, 0, 400, 0}},
			{"AddScaled", func(x []float32) { v.AddScaled(x, x, cell(1), cell(0), false) }, []float32{nan, inf, -inf, 0, 400, -400}},
			{"AddScaled by -1", func(x []float32) { v.AddScaled(x, x, cell(-1), cell(0), false) }, []float32{nan, nan, nan, 0, 0, 0}},
			{"Sigmoid", Sigmoid, []float32{nan, 1, 0, 0.5, 1, 0}},
		} {
			for i, x := range in {
				got := cell(x)
				c.f(got)
				for l, g := range got {
					if !same(g, c.want[i]) && !(c.name == "Sigmoid" && x == -200 && g < minNormal) {
						t.Errorf("%v: %s of %v is %v in lane %d, want %v", v, c.name, x, g, l, c.want[i])
					}
				}
			}
		}
	}
}
