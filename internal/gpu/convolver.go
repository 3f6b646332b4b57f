//go:build cgo && unix

package gpu

import (
	"context"
	"fmt"
	"strings"

	"repvgg/internal/gpu/cuda"
)

// convolver makes convolutions for a device: it knows the engine that is the
// fastest for a shape, or searches for it.
type convolver struct {
	d         *cuda.Device
	dnn       *cuda.CUDNN
	m         *module
	precision precision
	stream    *cuda.Stream
	// workspace is for cuDNN's engines. Operations may share it, since a stream runs
	// them one after the other.
	workspace      cuda.Ptr
	workspaceSize  int64
	workspaceShort bool // there was no memory for a larger one
	start, stop    *cuda.Event
	warm           bool // the GPU's clocks are up
	choices        *choices
	noTune         bool   // Options.noTune
	method         string // Options.method
	noDirect       bool   // do not fall back to our own kernel
	// note reports something to the user. announce, unless empty, is noted when the
	// next search begins.
	note     func(format string, args ...any)
	announce string
	// prebuilt are the operations that prebuild has made, by their keys.
	prebuilt map[string]built
}

// operation makes a convolution ready to run, with the engine that was chosen
// before, else by a search.
func (v *convolver) operation(ctx context.Context, c convolution) (operation, choice, error) {
	c.at.workspace = v.workspace
	key := c.key(v.precision)
	if chosen, ok := v.chosen(key); ok {
		op, err := v.working(c, chosen)
		if err == nil {
			return op, chosen, nil
		}
		if cuda.IsLost(err) || cuda.IsOutOfMemory(err) {
			return nil, choice{}, err
		}
		v.choices.drop(key)
	}
	s := &search{convolver: v, convolution: c}
	op, chosen, err := s.run(ctx)
	if err != nil {
		return nil, choice{}, fmt.Errorf("choosing an engine for a convolution %s: %w", key, err)
	}
	if !s.compared && !v.noTune {
		v.note("for a convolution %s there is no better engine than %s: %s", key, chosen.name(), strings.Join(s.refusals, "; "))
	}
	// Only what won a full search is kept for other processes.
	v.choices.set(key, chosen, !v.noTune && !v.workspaceShort && v.method == "" && s.short == nil && s.compared)
	return op, chosen, nil
}

// chosen is the choice that was made before for a shape.
func (v *convolver) chosen(key string) (choice, bool) {
	c, ok := v.choices.get(key)
	return c, ok && (v.method == "" || v.method == c.Method)
}

// working is the operation of a choice. It is run once, since an engine may fail
// only then.
func (v *convolver) working(c convolution, by choice) (operation, error) {
	key := c.key(v.precision)
	b, ok := v.prebuilt[key]
	if delete(v.prebuilt, key); !ok {
		b.op, b.err = v.make(v.dnn, c, by)
	}
	if b.err != nil {
		return nil, b.err
	}
	if err := v.runs(b.op, 1); err != nil {
		b.op.close()
		return nil, err
	}
	return b.op, nil
}

// make makes the operation of a choice with a handle of cuDNN.
func (v *convolver) make(dnn *cuda.CUDNN, c convolution, by choice) (operation, error) {
	switch by.Method {
	case methodDirect:
		return &directOperation{v, c}, nil
	case methodLegacy:
		f, err := dnn.NewFused(c.fused(v.precision), c.at.tensors(methodLegacy), v.workspaceSize)
		if err != nil {
			return nil, err
		}
		return fusedOperation{f}, nil
	}
	e := cuda.Engine{Index: by.Engine, Knobs: by.Knobs}
	plan, err := dnn.NewPlan(c.graph(v.precision, by.Method), e, c.at.tensors(by.Method), v.workspaceSize)
	switch {
	case err != nil:
		return nil, err
	case by.Method == methodGraphPlain:
		return &plainOperation{plan, v, c}, nil
	}
	return &graphOperation{plan, by.Method}, nil
}
