// Package weights matches a checkpoint with a network's plan. It detects the
// framework whose names the file uses, checks that every tensor exists with the
// right shape, and provides the values under the plan's names.
package weights

import (
	"errors"
	"fmt"
	"math"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// Set is a checkpoint that matches a plan. It is a tensor.Source of the plan's
// tensors. All values that it returns are finite.
type Set struct {
	// Plan is the network in the checkpoint's form.
	Plan *model.Plan
	// KeyMap is the key map of the file's names. It is nil for a plan without a family.
	KeyMap *model.KeyMap
	// File is the checkpoint, with what it holds beside the weights. Tensors that were
	// left out are not among its.
	File *checkpoint.File
	// Ignored says which tensors were left out as they were asked to be, a line each.
	Ignored []string

	tensors   map[string]*checkpoint.Tensor // by the plan's names
	variances map[string]bool
	buf       []byte
}

// Open opens a checkpoint that has either form of a network. choice
// says which of its state dicts is meant. ignore are patterns, as path.Match has them,
// of names of tensors that are left out.
func Open(path string, plan *model.Plan, choice checkpoint.Choice, ignore ...string) (*Set, error) {
	file, err := checkpoint.OpenChoice(path, choice)
	if err != nil {
		return nil, err
	}
	s, err := Match(file, plan, ignore...)
	if err != nil {
		_ = file.Close() // the first error is returned
		return nil, err
	}
	return s, nil
}

// FormError is the error for a checkpoint that has the wrong form.
type FormError struct {
	Path string
	Has  model.Form
}

func (e *FormError) Error() string {
	if e.Has == model.Deploy {
		return fmt.Sprintf("checkpoint %q holds the deploy form, but the train form is needed", e.Path)
	}
	return fmt.Sprintf("checkpoint %q holds the train form, but the deploy form is needed", e.Path)
}

// OpenForm is Open for a checkpoint that must have the form of the plan; the
// error is a FormError if it has the other one.
func OpenForm(path string, plan *model.Plan, choice checkpoint.Choice, ignore ...string) (*Set, error) {
	s, err := Open(path, plan, choice, ignore...)
	if err == nil && s.Plan.Form != plan.Form {
		_ = s.Close() // the form is the error to return
		return nil, &FormError{path, s.Plan.Form}
	}
	return s, err
}

// Rows reads rows of a tensor of the plan. See checkpoint.Tensor.ReadRows for the
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

// index returns the indices in a tensor of value i, counted from the row from.
func index(spec tensor.Spec, from, i int) []int {
	i += from * spec.RowLen()
	at := make([]int, len(spec.Shape))
	for d := len(at) - 1; d >= 0; d-- {
		at[d] = i % spec.Shape[d]
		i /= spec.Shape[d]
	}
	return at
}

// Deploy returns the tensors of the deploy form. They are folded as they are read
// if the checkpoint has the train form.
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

// Verify checks what was read against the file's checksums. Call it after reading,
// before relying on the values.
func (s *Set) Verify() error { return s.File.Verify() }

// Close closes the file. Its tensors can't be read after that.
func (s *Set) Close() error { return s.File.Close() }
