package tensor

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
)

func TestFinite(t *testing.T) {
	for n := range 10 {
		values := slices.Repeat([]float32{-math.MaxFloat32, math.SmallestNonzeroFloat32, 0}, 4)[:n]
		if !Finite(values) {
			t.Errorf("%v are said not to be finite", values)
		}
		for i := range values {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				other := slices.Clone(values)
				if other[i] = float32(bad); Finite(other) {
					t.Errorf("%v are said to be finite", other)
				}
			}
		}
	}
}

func TestSources(t *testing.T) {
	spec := Spec{Name: "x", Shape: []int{3, 2}}
	want := []float32{1, 2, 3, 4, 5, 6}
	for name, src := range map[string]Source{
		"map":           Map{"x": want},
		"func":          Func(func(Spec) ([]float32, error) { return want, nil }),
		"interruptible": Interruptible(context.Background(), Map{"x": want}),
	} {
		if got, err := Load(src, spec); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		rows := make([]float32, 2)
		if err := src.Rows(rows, spec, 2, 3); err != nil || !slices.Equal(rows, want[4:]) {
			t.Errorf("%s: the last row is %v, %v", name, rows, err)
		}
		if _, err := Load(src, Spec{Name: "x", Shape: []int{7}}); err == nil {
			t.Errorf("%s: another shape is no error", name)
		}
	}
	if _, err := Load(Map{}, spec); err == nil {
		t.Error("a missing tensor is no error")
	}
	scalar := Spec{Name: "s"}
	if got, err := Load(Map{"s": {7}}, scalar); err != nil || !slices.Equal(got, []float32{7}) {
		t.Errorf("a scalar is %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Load(Interruptible(ctx, Map{"x": want}), spec); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}
