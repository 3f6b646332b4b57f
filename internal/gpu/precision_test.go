package gpu

import (
	"strings"
	"testing"

	"repvgg/internal/gpu/cuda"
)

func TestPrecisionResolve(t *testing.T) {
	for _, c := range []struct {
		p          precision
		capability int
		want       precision
		err        string
	}{
		{auto, 90, tf32, ""}, {auto, 75, fp32, ""}, {bf16, 80, bf16, ""}, {bf16, 75, 0, "bf16 needs a GPU of compute capability 8.0, and this one has 7.5; use fp16"},
		{tf32, 70, 0, "tf32 needs"}, {fp16, 75, fp16, ""}, {fp16, 52, 0, "fp16 needs"}, {fp32, 50, fp32, ""},
	} {
		got, err := c.p.resolve(c.capability)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v on %d: got %v, %v", c.p, c.capability, got, err)
		}
	}
}

func TestEnginesAllowed(t *testing.T) {
	for _, c := range []struct {
		p     precision
		notes []int32
		want  bool
	}{
		{fp32, nil, true}, {fp32, []int32{cuda.NoteTensorCore}, false}, {fp32, []int32{cuda.NoteWinograd}, true}, {fp32, []int32{cuda.NoteDownConverts}, false},
		{fp32, []int32{cuda.NoteWinograd, cuda.NoteWinograd13}, false}, {tf32, []int32{cuda.NoteTensorCore}, true}, {tf32, []int32{cuda.NoteTensorCore, cuda.NoteDownConverts}, false},
		{fp16, []int32{cuda.NoteTensorCore}, true}, {fp16, []int32{cuda.NoteTensorCore, cuda.NoteReducedReduction}, false}, {bf16, []int32{cuda.NoteWinograd}, false},
		{bf16, []int32{cuda.NoteNondeterministic}, false}, {fp32, []int32{cuda.NoteWinograd, cuda.NoteWinograd6}, false},
		{tf32, []int32{cuda.NoteWinograd6}, true}, {fp16, []int32{cuda.NoteDownConverts}, false}, {fp16, []int32{99}, true},
	} {
		if got := c.p.allowed(c.notes); got != c.want {
			t.Errorf("%v with notes %v: %v", c.p, c.notes, got)
		}
	}
}

func TestWeightsThatOverflow(t *testing.T) {
	values := []float32{1, -70000}
	if err := fp16.fits("a convolution", values); err == nil || !strings.Contains(err.Error(), "-70000, but fp16 ends at 65504; use bf16") {
		t.Errorf("got %v", err)
	}
	if err := bf16.fits("a convolution", values); err != nil {
		t.Error(err)
	}
}
