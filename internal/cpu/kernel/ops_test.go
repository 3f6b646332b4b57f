package kernel

import (
	"math"
	"testing"
)

func TestScaleShiftAdd(t *testing.T) {
	rng := newRand(1)
	for n := range 70 {
		for _, relu := range []bool{false, true} {
			for _, variant := range Variants() {
				src, dst := randomSlice(rng, n), randomSlice(rng, n)
				before := widen(dst.data())
				const scale, shift = float32(1.25), float32(-0.375)
				variant.ScaleShiftAdd(dst.data(), src.data(), scale, shift, relu)
				dst.check(t, "ScaleShiftAdd")
				for i, got := range dst.data() {
					x := float64(src.data()[i])
					want := before[i] + (float64(scale)*x + float64(shift))
					if relu {
						want = RefReLU(want)
					}
					if !closeTo(got, want, math.Abs(before[i])+2*math.Abs(x)+1, elementTolerance) {
						t.Fatalf("%v: n=%d relu=%v: element %d is %v, want %v", variant, n, relu, i, got, want)
					}
				}
			}
		}
	}
}

func TestElementwise(t *testing.T) {
	rng := newRand(2)
	for n := range 70 {
		for _, variant := range Variants() {
			relu, scaled, sigmoid := randomSlice(rng, n), randomSlice(rng, n), randomSlice(rng, n)
			r0, s0, g0 := widen(relu.data()), widen(scaled.data()), widen(sigmoid.data())
			ReLU(relu.data())
			variant.ScaleReLU(scaled.data(), 0.625)
			Sigmoid(sigmoid.data())
			for i := range n {
				for _, c := range []struct {
					name string
					got  float32
					want float64
				}{
					{"ReLU", relu.data()[i], RefReLU(r0[i])},
					{"ScaleReLU", scaled.data()[i], RefReLU(s0[i] * 0.625)},
					{"Sigmoid", sigmoid.data()[i], RefSigmoid(g0[i])},
				} {
					if !closeTo(c.got, c.want, math.Abs(c.want), elementTolerance) {
						t.Fatalf("%v: %s: element %d of %d is %v, want %v", variant, c.name, i, n, c.got, c.want)
					}
				}
			}
			relu.check(t, "ReLU")
			scaled.check(t, "ScaleReLU")
			sigmoid.check(t, "Sigmoid")
		}
	}
}

func TestElementwiseSpecialValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	in := []float32{nan, inf, -inf, float32(math.Copysign(0, -1)), 200, -200}
	apply := func(f func([]float32)) []float32 {
		x := append([]float32(nil), in...)
		f(x)
		return x
	}
	for _, variant := range Variants() {
		for _, c := range []struct {
			name      string
			got, want []float32
		}{
			{"ReLU", apply(ReLU), []float32{nan, inf, 0, 0, 200, 0}},
			{"ScaleReLU", apply(func(x []float32) { variant.ScaleReLU(x, 0) }), []float32{nan, nan, nan, 0, 0, 0}},
			{"Sigmoid", apply(Sigmoid), []float32{nan, 1, 0, 0.5, 1, 0}},
			{"ScaleShiftAdd", apply(func(x []float32) { variant.ScaleShiftAdd(x, x, 1, 0, true) }), []float32{nan, inf, 0, 0, 400, 0}},
			{"ScaleShiftAdd without ReLU", apply(func(x []float32) { variant.ScaleShiftAdd(x, x, 1, 0, false) }), []float32{nan, inf, -inf, 0, 400, -400}},
		} {
			for i, got := range c.got {
				if got != c.want[i] && !(math.IsNaN(float64(got)) && math.IsNaN(float64(c.want[i]))) {
					t.Errorf("%v: %s of %v is %v, want %v", variant, c.name, in[i], got, c.want[i])
				}
			}
		}
	}
}

func TestGlobalAvgPool(t *testing.T) {
	rng := newRand(3)
	for channels := 1; channels <= 5; channels++ {
		for pixels := 1; pixels <= 50; pixels++ {
			src, dst := randomSlice(rng, channels*pixels), newGuarded(channels)
			GlobalAvgPool(dst.data(), src.data())
			dst.check(t, "GlobalAvgPool")
			for c, got := range dst.data() {
				want := RefMean(widen(src.data()[c*pixels:][:pixels]))
				if !closeTo(got, want, math.Abs(want)+1e-8, elementTolerance) {
					t.Fatalf("%d channels of %d pixels: mean %d is %v, want %v", channels, pixels, c, got, want)
				}
			}
		}
	}
}

func TestLinear(t *testing.T) {
	rng := newRand(4)
	for _, variant := range Variants() {
		for in := 1; in <= 150; in++ {
			out := in%5 + 1
			x, weight, bias, dst := randomSlice(rng, in), randomSlice(rng, in*out), randomSlice(rng, out), newGuarded(out)
			variant.Linear(dst.data(), x.data(), weight.data(), bias.data())
			dst.check(t, "Linear")
			want, scale := RefLinear(widen(x.data()), widen(weight.data()), widen(bias.data()))
			for o, got := range dst.data() {
				if !closeTo(got, want[o], scale[o], linearTolerance) {
					t.Fatalf("%v: %d to %d: output %d is %v, want %v", variant, in, out, o, got, want[o])
				}
			}
		}
		for at := range 100 {
			x, dst := make([]float32, 100), make([]float32, 1)
			x[at] = float32(math.NaN())
			if variant.Linear(dst, x, make([]float32, 100), make([]float32, 1)); !math.IsNaN(float64(dst[0])) {
				t.Errorf("%v: a NaN input gives %v", variant, dst[0])
			}
		}
	}
}

// Tiles of pixels end anywhere: no element may depend on its place.
func TestElementwiseIsDeterministic(t *testing.T) {
	rng := newRand(5)
	const n = 100
	for _, variant := range Variants() {
		src, dst := randomSlice(rng, n).data(), randomSlice(rng, n).data()
		whole, pieces := append([]float32(nil), dst...), append([]float32(nil), dst...)
		variant.ScaleShiftAdd(whole, src, 1.7, 0.3, false)
		for from := 0; from < n; {
			to := min(n, from+1+rng.IntN(20))
			variant.ScaleShiftAdd(pieces[from:to], src[from:to], 1.7, 0.3, false)
			from = to
		}
		for i := range whole {
			if math.Float32bits(whole[i]) != math.Float32bits(pieces[i]) {
				t.Fatalf("%v: element %d is %v in one piece, %v in several", variant, i, whole[i], pieces[i])
			}
		}
	}
}

func TestReference(t *testing.T) {
	// By hand: a 2x2 map, an all-ones 3x3 kernel with padding sums everything.
	s := ConvShape{In: 1, Out: 1, Kernel: 3, Stride: 1, Pad: 1, Dilation: 1, Groups: 1}
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1}
	out, magnitude := RefConv(s, ones, []float64{-10}, []float64{1, 2, 3, -4}, 2, 2)
	for i := range out {
		if out[i] != -8 || magnitude[i] != 20 {
			t.Errorf("output %d is %v with magnitude %v, want -8 and 20", i, out[i], magnitude[i])
		}
	}
}
