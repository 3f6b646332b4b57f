package testkit

import (
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/tensor"
)

// WriteCheckpoint writes a checkpoint. own has the tensors' names in values, and
// specs their names in the file, in the same order.
func WriteCheckpoint(t testing.TB, path string, specs, own []tensor.Spec, values tensor.Map) {
	t.Helper()
	f, err := checkpoint.Create(path, specs, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	for _, spec := range own {
		if err := f.Write(values[spec.Name]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
}
