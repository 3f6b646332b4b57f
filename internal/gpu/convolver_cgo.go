//go:build cgo && unix

package gpu

import (
	"context"
	"fmt"
	"strings"
)

// convolver makes and times convolutions on a device.
type convolver struct {
	d         *device
	c         *cudnn
	m         *module
	precision precision
	stream    object
	// workspace is for whatever cuDNN wants; operations use it in turns.
	workspace     devptr
	workspaceSize int64
	cramped       bool   // there was no memory for a larger one
	start, stop   object // events
	warm          bool   // the clocks are up
	tuned         *tuned
	noTune        bool
	method        string // Options.method
	noDirect      bool   // our own kernel is no candidate
	// note tells the user something; news, unless empty, is told when the first
	// search of a program begins.
	note func(format string, args ...any)
	news string
	// waiting are operations that prebuild has made, by the keys of their shapes.
	waiting map[string]built
}

// wanted is a convolution that a program needs.
type wanted struct {
	s  convShape
	ep epilogue
	at operands
}

// key names the convolution's shape, with what follows it.
func (w *wanted) key(p precision) string { return shapeKey(w.s, w.ep, p) }

// of is the same convolution of other memory.
func (w *wanted) of(at operands) wanted { return wanted{w.s, w.ep, at} }

// side is the tensor to add, 0 if there is none.
func (w *wanted) side() devptr {
	if w.ep.Add {
		return w.at.side
	}
	return 0
}

// convolution makes the operation for a shape: the one that was found fastest
// before, else the fastest of the candidates.
func (e *convolver) convolution(ctx context.Context, w wanted) (operation, choice, error) {
	w.at.workspace = e.workspace
	key := w.key(e.precision)
	if c, ok := e.kept(key); ok {
		op, err := e.ready(w, c)
		if err == nil {
			return op, c, nil
		}
		if isLost(err) || isOutOfMemory(err) {
			return nil, choice{}, err
		}
		e.tuned.drop(key)
	}
	t := &trial{convolver: e, wanted: w}
	op, c, err := t.search(ctx)
	if err != nil {
		return nil, choice{}, fmt.Errorf("choosing an engine for a convolution %s: %w", key, err)
	}
	if !t.compared && !e.noTune {
		e.note("for a convolution %s there is no better engine than %s: %s", key, c.name(), strings.Join(t.refusals, "; "))
	}
	// What does not come of a full search is not kept beyond this process.
	e.tuned.set(key, c, !e.noTune && !e.cramped && e.method == "" && t.short == nil && t.compared)
	return op, c, nil
}

// kept is the choice that was made before for a shape.
func (e *convolver) kept(key string) (choice, bool) {
	c, ok := e.tuned.get(key)
	return c, ok && (e.method == "" || e.method == c.Method)
}

// ready is the operation of a choice, run once: an engine may be refused only
// then.
func (e *convolver) ready(w wanted, c choice) (operation, error) {
	key := w.key(e.precision)
	b, ok := e.waiting[key]
	if delete(e.waiting, key); !ok {
		b.op, b.err = e.make(e.c, w, c)
	}
	if b.err != nil {
		return nil, b.err
	}
	if err := e.runs(b.op, 1); err != nil {
		b.op.close()
		return nil, err
	}
	return b.op, nil
}

// make is the operation of a choice, by a handle of cuDNN.
func (e *convolver) make(by *cudnn, w wanted, c choice) (operation, error) {
	switch c.Method {
	case methodDirect:
		return &directPlan{e, w}, nil
	case methodLegacy:
		l, err := newLegacyPlan(by, w, e.precision, e.workspaceSize)
		if err != nil {
			return nil, err
		}
		return l, nil
	}
	g, err := newConvGraph(by, w, e.precision, c.Method)
	if err != nil {
		return nil, err
	}
	p, err := g.newPlan(c, w.at, e.workspaceSize)
	switch {
	case err != nil:
		return nil, err
	case c.Method == methodGraphPlain:
		return &plainPlan{p, e, w}, nil
	}
	return p, nil
}
