package gpu

import (
	"strings"
	"testing"
)

func TestPrecisionNames(t *testing.T) {
	for _, name := range Precisions() {
		if p, err := ParsePrecision(name); err != nil || p.String() != name {
			t.Errorf("%q became %v, %v", name, p, err)
		}
	}
	if _, err := ParsePrecision("int8"); err == nil || !strings.Contains(err.Error(), `"int8"; want one of fp32, tf32, bf16, fp16, auto`) {
		t.Errorf("got %v", err)
	}
}

func TestPrecisionResolve(t *testing.T) {
	for _, c := range []struct {
		p          Precision
		capability int
		want       Precision
		err        string
	}{
		{Auto, 90, TF32, ""}, {Auto, 75, FP32, ""}, {BF16, 80, BF16, ""}, {BF16, 75, 0, "bf16 needs a GPU of compute capability 8.0, and this one has 7.5; use fp16"},
		{TF32, 70, 0, "tf32 needs"}, {FP16, 75, FP16, ""}, {FP16, 52, 0, "fp16 needs"}, {FP32, 50, FP32, ""},
	} {
		got, err := c.p.resolve(c.capability)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v on %d: got %v, %v", c.p, c.capability, got, err)
		}
	}
}

func TestEnginesAllowed(t *testing.T) {
	for _, c := range []struct {
		p     Precision
		notes []int32
		want  bool
	}{
		{FP32, nil, true}, {FP32, []int32{noteTensorCore}, false}, {FP32, []int32{noteWinograd}, true}, {FP32, []int32{noteDownConverts}, false},
		{FP32, []int32{noteWinograd, noteWinograd13}, false}, {TF32, []int32{noteTensorCore}, true}, {TF32, []int32{noteTensorCore, noteDownConverts}, false},
		{FP16, []int32{noteTensorCore}, true}, {FP16, []int32{noteTensorCore, noteReducedReduction}, false}, {BF16, []int32{noteWinograd}, false},
		{BF16, []int32{noteNondeterministic}, false}, {FP32, []int32{noteWinograd, noteWinograd6}, false},
		{TF32, []int32{noteWinograd6}, true}, {FP16, []int32{noteDownConverts}, false}, {FP16, []int32{99}, true},
	} {
		if got := c.p.allowed(c.notes); got != c.want {
			t.Errorf("%v with notes %v: %v", c.p, c.notes, got)
		}
	}
}

func TestWeightsThatOverflow(t *testing.T) {
	values := []float32{1, -70000}
	if err := FP16.fits("a convolution", values); err == nil || !strings.Contains(err.Error(), "-70000, but fp16 ends at 65504; use --precision bf16") {
		t.Errorf("got %v", err)
	}
	if err := BF16.fits("a convolution", values); err != nil {
		t.Error(err)
	}
}
