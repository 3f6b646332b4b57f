package tensor

import (
	"context"
	"fmt"
)

// Source provides the values of named tensors as row-major float32. Examples are a
// checkpoint, a source that transforms another one, and seeded random numbers. It
// is not safe for concurrent use.
type Source interface {
	// Rows fills dst with the rows [from, to) of the first dimension of a tensor. A
	// tensor without dimensions has one row. The source must have the tensor with the
	// shape in spec, and the length of dst must be that of the rows.
	Rows(dst []float32, spec Spec, from, to int) error
}

// Rows returns the size of the first dimension, or 1 for a scalar.
func (s Spec) Rows() int {
	if len(s.Shape) == 0 {
		return 1
	}
	return s.Shape[0]
}

// RowLen returns the number of values in one row of the first dimension.
func (s Spec) RowLen() int {
	if len(s.Shape) == 0 {
		return 1
	}
	return Numel(s.Shape[1:])
}

// Load reads a whole tensor.
func Load(src Source, spec Spec) ([]float32, error) {
	values := make([]float32, spec.Numel())
	if err := src.Rows(values, spec, 0, spec.Rows()); err != nil {
		return nil, err
	}
	return values, nil
}

// Map is a Source that holds its tensors in memory.
type Map map[string][]float32

// Rows copies values of a tensor in the map.
func (m Map) Rows(dst []float32, spec Spec, from, to int) error {
	values, ok := m[spec.Name]
	switch {
	case !ok:
		return fmt.Errorf("there is no tensor %q", spec.Name)
	case len(values) != spec.Numel():
		return fmt.Errorf("tensor %q has %d values, want shape %s", spec.Name, len(values), FormatShape(spec.Shape))
	}
	copy(dst, values[from*spec.RowLen():to*spec.RowLen()])
	return nil
}

// Func is a Source that calls a function for each tensor.
type Func func(spec Spec) ([]float32, error)

// Rows calls f and copies the rows.
func (f Func) Rows(dst []float32, spec Spec, from, to int) error {
	values, err := f(spec)
	if err != nil {
		return err
	}
	return Map{spec.Name: values}.Rows(dst, spec, from, to)
}

// Interruptible returns a Source that reads from src until ctx ends. After that,
// every read fails with the context's error.
func Interruptible(ctx context.Context, src Source) Source { return &interruptible{ctx, src} }

type interruptible struct {
	ctx context.Context
	src Source
}

// interruptLen is the number of values that are read between two checks of the
// context. Reading them takes a few milliseconds.
const interruptLen = 1 << 20

func (s *interruptible) Rows(dst []float32, spec Spec, from, to int) error {
	width := max(1, spec.RowLen())
	for step := max(1, interruptLen/width); from < to; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		n := min(step, to-from)
		if err := s.src.Rows(dst[:n*spec.RowLen()], spec, from, from+n); err != nil {
			return err
		}
		dst, from = dst[n*spec.RowLen():], from+n
	}
	return s.ctx.Err()
}
