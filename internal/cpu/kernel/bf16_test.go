package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// bf16Variant is the variant with bf16 instructions.
func bf16Variant(t *testing.T) *Variant {
	for _, v := range Variants() {
		if v.Has(BFloat16) {
			return v
		}
	}
	t.Skip("no variant has bf16 instructions on this machine")
	return nil
}

// roundBF16 rounds to 8 significant bits by arithmetic rather than by bits.
func exactBF16(v float64) float64 {
	if v == 0 {
		return v
	}
	_, exp := math.Frexp(v)
	unit := math.Ldexp(1, exp-8)
	return math.RoundToEven(v/unit) * unit
}

func TestBF16Rounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	for _, v := range []float32{0, 1, -1, 1.00390625, 1.01171875, 3.4e38, float32(math.Inf(1)), -float32(math.Inf(1))} {
		checkRound(t, v)
	}
	for range 10000 {
		checkRound(t, float32(rng.NormFloat64()*math.Exp(20*rng.NormFloat64())))
	}
	if v := roundBF16(float32(math.NaN())); !math.IsNaN(float64(math.Float32frombits(uint32(v) << 16))) {
		t.Errorf("NaN becomes %#x", v)
	}
}

func checkRound(t *testing.T, v float32) {
	t.Helper()
	got, want := math.Float32frombits(uint32(roundBF16(v))<<16), float32(exactBF16(float64(v)))
	if got != want && !math.IsInf(float64(v), 0) && math.Abs(float64(v)) > 1e-37 || math.IsInf(float64(v), 0) && got != v {
		t.Errorf("roundBF16(%v) is %v, want %v", v, got, want)
	}
}

// narrowed are src as bf16 maps with a halo, and the values they hold.
func narrowed(v *Variant, src *Maps, n int, values []float64) (*Maps, []float64) {
	l := src.Layout
	l.Elem = BFloat16
	dst := newMaps(l, n)
	for i := range n {
		for b := range dst.Blocks() {
			v.Narrow(dst, src, i, b)
		}
	}
	rounded := make([]float64, len(values))
	for i, x := range values {
		rounded[i] = exactBF16(x)
	}
	return dst, rounded
}

var bf16Shapes = []model.Conv{
	{In: 32, Out: 48, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
	{In: 48, Out: 32, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
	{In: 7, Out: 5, KernelH: 3, KernelW: 3, Stride: 1, PadH: 2, PadW: 2, Dilation: 2, Groups: 1},
	{In: 80, Out: 80, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 2},
	{In: 24, Out: 24, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 24},
	{In: 65, Out: 33, KernelH: 1, KernelW: 1, Stride: 1, Dilation: 1, Groups: 1},
}

// TestBF16Conv computes in vector registers, and in AMX's tiles if the machine
// has them or can emulate them, with float32 and with bf16 results.
func TestBF16Conv(t *testing.T) {
	v := *bf16Variant(t)
	sizes := [][2]int{{1, 1}, {2, 5}, {7, 7}, {5, 18}, {3, 33}}
	t.Run("vectors", func(t *testing.T) {
		v.amx = nil
		testBF16Convs(t, &v, sizes)
	})
	t.Run("amx", func(t *testing.T) {
		v.amx = amxForTest(t)
		testBF16Convs(t, &v, sizes)
	})
}

func testBF16Convs(t *testing.T, v *Variant, sizes [][2]int) {
	for i, s := range bf16Shapes {
		for _, size := range sizes {
			for _, rounded := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/%v/%v", i, size, rounded), func(t *testing.T) {
					testBF16Conv(t, v, s, size[0], size[1], rounded, uint64(i))
				})
			}
		}
	}
}

func testBF16Conv(t *testing.T, v *Variant, s model.Conv, h, w int, rounded bool, seed uint64) {
	const n = 2
	oh, ow := s.OutSize(h, w)
	rng := rand.New(rand.NewPCG(seed, 6))
	weight, weight64 := randomFloats(rng, tensor.Numel(s.WeightShape()), 1)
	bias, bias64 := randomFloats(rng, s.Out, 1)
	c := packed(v.NewConv(s, Format{Elem: BFloat16}))(t, weight)
	for k, x := range weight64 {
		weight64[k] = exactBF16(x)
	}
	wide, values := randomMaps(rng, layoutOf(s.In, h, w, c.Halo), n)
	src, values := narrowed(v, wide, n, values)
	want, magnitude := convolved(s, weight64, bias64, values, n, h, w, true)
	var scratch Scratch
	run := func(dst *Maps) {
		for share := range 3 {
			c.Run(dst, src, n, Epilogue{Bias: PadChannels(bias), ReLU: true}, Share{share, 3, &scratch})
		}
	}
	dst, all := guarded(layoutOf(s.Out, oh, ow, nil), n)
	run(dst)
	checkMaps(t, dst, all, want, magnitude, n, directTolerance)
	if !rounded {
		return
	}
	// The same results, as Narrow rounds them.
	expected, _ := narrowed(v, dst, n, nil)
	half := newMaps(expected.Layout, n)
	run(half)
	for i := range n {
		for ch := range s.Out {
			for y := range oh {
				for x := range ow {
					bits := func(m *Maps) uint32 { return math.Float32bits(float32(m.value(i, ch, y, x))) >> 16 }
					got, want := bits(half), bits(expected)
					// In vector registers, the bias is added first or last: a rounding apart.
					if max(got, want)-min(got, want) > 1 {
						t.Fatalf("image %d channel %d at %d, %d: %#x, want %#x", i, ch, y, x, got, want)
					}
				}
			}
		}
	}
}

// bf16WinogradTolerance bounds the error of F(2, 3) with bf16 products relative
// to the largest sum of absolute products: both factors are rounded to 8 bits.
const bf16WinogradTolerance = 8e-3

func TestBF16Winograd(t *testing.T) {
	v := bf16Variant(t)
	for i, s := range []model.Conv{{In: 32, Out: 48, Groups: 1}, {In: 48, Out: 80, Groups: 1}, {In: 5, Out: 7, Groups: 1}, {In: 80, Out: 80, Groups: 2}} {
		s.KernelH, s.KernelW, s.Stride, s.PadH, s.PadW, s.Dilation = 3, 3, 1, 1, 1, 1
		for _, size := range [][2]int{{1, 1}, {2, 5}, {14, 14}, {11, 29}} {
			t.Run(fmt.Sprintf("%d/%v", i, size), func(t *testing.T) {
				const n = 2
				h, w := size[0], size[1]
				rng := rand.New(rand.NewPCG(uint64(i), 7))
				weight, weight64 := randomFloats(rng, tensor.Numel(s.WeightShape()), 1)
				bias, bias64 := randomFloats(rng, s.Out, 1)
				c := packed(v.NewWinograd(s, 2, BFloat16))(t, weight)
				src, values := randomMaps(rng, layoutOf(s.In, h, w, c.Halo), n)
				dst, all := guarded(layoutOf(s.Out, h, w, nil), n)
				want, magnitude := convolved(s, weight64, bias64, values, n, h, w, false)
				largest := 0.0
				for _, m := range magnitude {
					largest = max(largest, m)
				}
				for k := range magnitude {
					magnitude[k] = largest
				}
				var scratch Scratch
				for share := range 3 {
					c.Run(dst, src, n, Epilogue{Bias: PadChannels(bias)}, Share{share, 3, &scratch})
				}
				checkMaps(t, dst, all, want, magnitude, n, bf16WinogradTolerance)
			})
		}
	}
}

// convolved is the convolution of n maps in float64.
func convolved(s model.Conv, weight, bias, src []float64, n, h, w int, relu bool) (out, magnitude []float64) {
	size := s.In * h * w
	for i := range n {
		o, m := testkit.Conv{Conv: s}.Apply(weight, bias, src[i*size:][:size], h, w)
		out, magnitude = append(out, o...), append(magnitude, m...)
	}
	if relu {
		for i, v := range out {
			out[i] = testkit.ReLU(v)
		}
	}
	return out, magnitude
}

// The peak's operands must be right for each unit: a wrong one reads beyond them.
func TestPeak(t *testing.T) {
	for _, v := range Variants() {
		for elem := range elemCount {
			if p := v.Peak(1, elem); (p > 0) != v.Has(elem) {
				t.Errorf("%v: %v GFLOP/s in %v", v, p, elem)
			}
		}
	}
}

func TestAMXPeakStaysInItsOperands(t *testing.T) {
	v := *bf16Variant(t)
	v.amx = amxForTest(t)
	l := v.amxPeak()
	l.start()()
	if l.flops != 2*32*32*256 {
		t.Errorf("%v operations", l.flops)
	}
}
