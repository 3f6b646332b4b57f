// Package weights holds the tensors of a checkpoint against a network's plan: it
// finds the framework whose names the file has, checks that every tensor is there
// in its shape, and gives the values under the plan's names.
package weights

import (
	"errors"
	"fmt"
	"math"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// Set is a checkpoint that matches a plan. As a tensor.Source it has the tensors
// of Plan under the plan's names; every value that it gives is finite.
type Set struct {
	// Plan is the network, in the form that the checkpoint has.
	Plan *model.Plan
	// KeyMap is that of the file's names; nil for a plan of no family.
	KeyMap *model.KeyMap
	// File is the checkpoint, with what it holds beside the weights.
	File *checkpoint.File

	tensors   map[string]*checkpoint.Tensor // by the plan's names
	variances map[string]bool
	buf       []byte
}

// Open opens a checkpoint that has either form of a network. ema takes the
// averaged weights that the training run kept in it.
func Open(path string, plan *model.Plan, ema bool) (*Set, error) {
	open := checkpoint.Open
	if ema {
		open = checkpoint.OpenAveraged
	}
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	s, err := Match(file, plan)
	if err != nil {
		_ = file.Close() // the first error counts
		return nil, err
	}
	return s, nil
}

// FormError is a checkpoint of the other form than the one that is needed.
type FormError struct {
	Path string
	Has  model.Form
}

func (e *FormError) Error() string {
	if e.Has == model.Deploy {
		return fmt.Sprintf("checkpoint %q holds the deploy form, the train form is needed", e.Path)
	}
	return fmt.Sprintf("checkpoint %q holds the train form, the deploy form is needed", e.Path)
}

// OpenForm is Open for a checkpoint that must have the form of the plan; the
// error is a FormError if it has the other one.
func OpenForm(path string, plan *model.Plan, ema bool) (*Set, error) {
	s, err := Open(path, plan, ema)
	if err == nil && s.Plan.Form != plan.Form {
		_ = s.Close() // nothing was read
		return nil, &FormError{path, s.Plan.Form}
	}
	return s, err
}

// Rows reads rows of a tensor of the plan; see checkpoint.Tensor.ReadRows for the
// conversion to float32.
func (s *Set) Rows(dst []float32, spec tensor.Spec, from, to int) error {
	t := s.tensors[spec.Name]
	if t == nil {
		return fmt.Errorf("reading checkpoint %q: there is no tensor %q", s.File.Path, spec.Name)
	}
	if err := t.ReadRows(dst, from, to, &s.buf); err != nil {
		return fmt.Errorf("reading checkpoint %q: %w", s.File.Path, err)
	}
	if tensor.Finite(dst) && !s.variances[spec.Name] {
		return nil
	}
	for i, v := range dst {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 || v < 0 && s.variances[spec.Name] {
			return fmt.Errorf("reading checkpoint %q: %s has the value %v at %s; the training run diverged, or the file is damaged",
				s.File.Path, t.Name, v, tensor.FormatShape(index(spec, from, i)))
		}
	}
	return nil
}

// index is the place in a tensor of value i of the rows from a given one on.
func index(spec tensor.Spec, from, i int) []int {
	i += from * spec.RowLen()
	at := make([]int, len(spec.Shape))
	for d := len(at) - 1; d >= 0; d-- {
		at[d] = i % spec.Shape[d]
		i /= spec.Shape[d]
	}
	return at
}

// Deploy gives the tensors of the deploy form, folded on the way if the
// checkpoint has the train form.
func (s *Set) Deploy() tensor.Source { return &deploy{s.File.Path, model.Fold(s.Plan, s)} }

type deploy struct {
	path string
	src  tensor.Source
}

func (d *deploy) Rows(dst []float32, spec tensor.Spec, from, to int) error {
	err := d.src.Rows(dst, spec, from, to)
	if _, ok := errors.AsType[*model.FoldError](err); ok {
		return fmt.Errorf("reading checkpoint %q: %w", d.path, err)
	}
	return err
}

// Verify holds what was read against the file's checksums. Call it before relying
// on values.
func (s *Set) Verify() error { return s.File.Verify() }

// Close closes the file. Its tensors can't be read any more.
func (s *Set) Close() error { return s.File.Close() }
