package gpu

import (
	"math"
	"math/rand/v2"
	"testing"
)

// halfValue and bf16Value are the values of encodings, from the definitions of
// the formats.
func halfValue(h uint16) float64 {
	sign, exponent, mantissa := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(mantissa, -24)
	case 31:
		if mantissa != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+mantissa, exponent-25)
}

func bf16Value(h uint16) float64 { return float64(math.Float32frombits(uint32(h) << 16)) }

// nearest checks that got is the encoding nearest to f, and even in a tie.
func nearest(t *testing.T, f float32, got uint16, value func(uint16) float64) {
	t.Helper()
	v := value(got)
	if f != f {
		if v == v {
			t.Errorf("NaN became %v", v)
		}
		return
	}
	if math.Signbit(v) != math.Signbit(float64(f)) {
		t.Errorf("%g became %g", f, v)
	}
	// The magnitude's neighbours; encodings are ordered as their magnitudes.
	magnitude, sign := got&0x7fff, got&0x8000
	distance := func(m uint16) float64 {
		w := math.Abs(value(sign | m))
		if math.IsInf(w, 0) {
			w = 2*math.Abs(value(sign|m-1)) - math.Abs(value(sign|m-2)) // what would come next
		}
		return math.Abs(math.Abs(float64(f)) - w)
	}
	if math.IsInf(float64(f), 0) {
		if !math.IsInf(v, 0) {
			t.Errorf("infinity became %v", v)
		}
		return
	}
	own := distance(magnitude)
	for _, other := range []uint16{magnitude - 1, magnitude + 1} {
		w := value(sign | other)
		if other > 0x7fff || w != w || math.IsInf(v, 0) && other > magnitude {
			continue
		}
		if d := distance(other); d < own || d == own && magnitude&1 == 1 {
			t.Errorf("%g became %g (%#04x), but %g is nearer or even", f, v, got, w)
		}
	}
}

func TestRounding(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := []float32{0, float32(math.Copysign(0, -1)), 1, 65504, 65519.996, 65520, 65536, 1e-8, 2.9802322e-8, 2.9802326e-8,
		6.1035156e-5, 6.1e-5, math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
	for range 200_000 {
		values = append(values, math.Float32frombits(rng.Uint32()))
		values = append(values, float32(rng.NormFloat64()*math.Ldexp(1, rng.IntN(44)-26)))
	}
	for h := range 1 << 16 { // all halves, and the ties between them
		v := halfValue(uint16(h))
		values = append(values, float32(v), float32((v+halfValue(uint16(h)+1))/2))
	}
	for _, f := range values {
		nearest(t, f, toHalf(f), halfValue)
		nearest(t, f, toBF16(f), bf16Value)
		if t.Failed() {
			return
		}
	}
}

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		p    precision
		want []byte
	}{
		{fp16, []byte{0x00, 0x3c, 0x00, 0xc0}}, {bf16, []byte{0x80, 0x3f, 0x00, 0xc0}},
		{tf32, []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}}, {fp32, []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}},
	} {
		if got := encode([]float32{1, -2}, c.p); string(got) != string(c.want) || len(got) != 2*c.p.size() {
			t.Errorf("%v: got % x, want % x", c.p, got, c.want)
		}
	}
}
