//go:build cgo && unix

package gpu

/*
#include "cudnn.h"
*/
import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// engine is what makes and times convolutions on a device.
type engine struct {
	d         *device
	c         *cudnn
	m         *module
	precision Precision
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

// convolution makes the operation for a shape: the one that was found fastest
// before, else the fastest of the candidates.
func (e *engine) convolution(ctx context.Context, want wanted) (operation, choice, error) {
	s, ep, at := want.s, want.ep, want.at
	at.workspace = e.workspace
	key := shapeKey(s, ep, e.precision)
	if c, ok := e.kept(key); ok {
		op, err := e.ready(key, s, ep, c, at)
		if err == nil {
			return op, c, nil
		}
		if isLost(err) || isOutOfMemory(err) {
			return nil, choice{}, err
		}
		e.tuned.drop(key)
	}
	t := &trial{engine: e, s: s, ep: ep, at: at}
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
func (e *engine) kept(key string) (choice, bool) {
	c, ok := e.tuned.get(key)
	return c, ok && (e.method == "" || e.method == c.Method)
}

// ready is the operation of a choice, run once: an engine may be refused only
// then.
func (e *engine) ready(key string, s convShape, ep epilogue, c choice, at operands) (operation, error) {
	b, ok := e.waiting[key]
	if delete(e.waiting, key); !ok {
		b.op, b.err = e.make(e.c, s, ep, c, at)
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

// prebuild makes the operations whose engines were chosen before, several at a
// time, for convolution to find. discard ends those that it did not ask for.
func (e *engine) prebuild(ctx context.Context, all []wanted) {
	var jobs []job
	var keys []string
	for _, w := range all {
		key := shapeKey(w.s, w.ep, e.precision)
		if c, ok := e.kept(key); ok && c.graph() && !slices.Contains(keys, key) {
			w.at.workspace = e.workspace
			jobs, keys = append(jobs, job{w, c}), append(keys, key)
		}
	}
	if len(jobs) < 2 {
		return
	}
	e.waiting = make(map[string]built)
	for i, b := range e.build(ctx, jobs) {
		e.waiting[keys[i]] = b
	}
}

func (e *engine) discard() {
	for _, b := range e.waiting {
		if b.op != nil {
			b.op.close()
		}
	}
	e.waiting = nil
}

// make is the operation of a choice, by a handle of cuDNN.
func (e *engine) make(by *cudnn, s convShape, ep epilogue, c choice, at operands) (operation, error) {
	switch c.Method {
	case methodDirect:
		return &directPlan{e, s, ep, at}, nil
	case methodLegacy:
		l, err := newLegacyPlan(by, s, ep, e.precision, at, e.workspaceSize)
		if err != nil {
			return nil, err
		}
		return l, nil
	}
	g, err := newConvGraph(by, s, ep, e.precision, c.Method)
	if err != nil {
		return nil, err
	}
	p, err := g.newPlan(c, at, e.workspaceSize)
	switch {
	case err != nil:
		return nil, err
	case c.Method == methodGraphPlain:
		return &plainPlan{p, e, s, ep, at}, nil
	}
	return p, nil
}

// trial is the search for a convolution's engine.
type trial struct {
	*engine
	s  convShape
	ep epilogue
	at operands
	// refusals are why candidates are none, the first of each method; short is an
	// error of memory that kept some out.
	refusals []string
	short    error
	compared bool // an engine of a graph works
}

// perMethod is how many engines of a method are tried. They come in the order in
// which cuDNN expects them to be fast; each costs a compilation.
const perMethod = 6

// search takes the fastest of what there is: engines for each way to put the
// convolution to cuDNN, and the older interface; else what cuDNN has to fall back
// on, else our own kernel.
func (t *trial) search(ctx context.Context) (operation, choice, error) {
	if t.news != "" && !t.noTune {
		t.note("%s", t.news)
		t.news = ""
	}
	for _, list := range t.lists() {
		candidates := slices.DeleteFunc(list(), func(c choice) bool { return t.method != "" && t.method != c.Method })
		op, c, err := t.fastest(ctx, candidates)
		if op != nil || err != nil {
			return op, c, err
		}
	}
	if t.short != nil {
		return nil, choice{}, t.short
	}
	return nil, choice{}, fmt.Errorf("nothing works for it: %s", strings.Join(t.refusals, "; "))
}

// lists make the candidates: each list is for when nothing works of those before.
// The first has all that may be fast, or without tuning only one method.
func (t *trial) lists() []func() []choice {
	methods := t.methods()
	legacy := func() []choice { return []choice{{Method: methodLegacy}} }
	var lists []func() []choice
	if t.noTune {
		for _, m := range methods {
			lists = append(lists, func() []choice { return t.propose([]string{m}, C.RG_HEUR_MODE_A, C.RG_HEUR_MODE_B) })
		}
		lists = append(lists, legacy)
	} else {
		lists = append(lists, func() []choice { return append(t.propose(methods, C.RG_HEUR_MODE_A, C.RG_HEUR_MODE_B), legacy()...) })
	}
	lists = append(lists, func() []choice { return t.propose(methods, C.RG_HEUR_MODE_FALLBACK) })
	if !t.noDirect {
		lists = append(lists, func() []choice {
			if t.short != nil && t.s.N > 1 {
				return nil // with fewer images at once there may be memory for the others
			}
			return []choice{{Method: methodDirect}}
		})
	}
	return lists
}

// methods are the graphs that a convolution can be put to cuDNN as.
func (t *trial) methods() []string {
	methods := []string{methodGraph}
	if t.precision.size() < 4 {
		methods = append(methods, methodGraphNarrow)
	}
	if !t.ep.Add {
		methods = append(methods, methodGraphZero)
	}
	return append(methods, methodGraphPlain)
}

// propose asks heuristics of cuDNN for the engines of methods.
func (t *trial) propose(methods []string, modes ...C.int) []choice {
	var all []choice
	for _, method := range methods {
		var own []choice
		for _, mode := range modes {
			found, err := t.proposals(method, mode)
			t.refuse(method, err)
			for _, c := range found {
				if len(own) < perMethod && !slices.ContainsFunc(own, c.same) {
					own = append(own, c)
				}
			}
		}
		all = append(all, own...)
	}
	return all
}

// proposals asks one heuristic. That it knows of no engine is an error of cuDNN's
// that means no more.
func (t *trial) proposals(method string, mode C.int) ([]choice, error) {
	g, err := newConvGraph(t.c, t.s, t.ep, t.precision, method)
	if err != nil {
		return nil, err
	}
	defer g.destroy()
	found, err := g.candidates(mode, t.precision)
	for i := range found {
		found[i].Method = method
	}
	return found, err
}

// refuse keeps why there is no candidate, or why one is none.
func (t *trial) refuse(method string, err error) {
	if isOutOfMemory(err) {
		t.short = err
	}
	known := func(r string) bool { return strings.HasPrefix(r, method+": ") }
	if err != nil && !slices.ContainsFunc(t.refusals, known) {
		t.refusals = append(t.refusals, fmt.Sprintf("%s: %v", method, err))
	}
}

// fastest is the best of the candidates, nil if none works. The error is one
// after which it is no use to go on.
func (t *trial) fastest(ctx context.Context, candidates []choice) (best operation, chosen choice, err error) {
	made := make([]built, len(candidates)) // without tuning one by one, until one works
	if !t.noTune {
		made = t.build(ctx, t.jobs(candidates))
	}
	defer func() {
		for _, m := range made {
			if m.op != nil && m.op != best {
				m.op.close()
			}
		}
	}()
	for i, c := range candidates {
		if err := ctx.Err(); err != nil {
			return nil, choice{}, err
		}
		m := &made[i]
		if m.op == nil && m.err == nil {
			m.op, m.err = t.make(t.c, t.s, t.ep, c, t.at)
		}
		if m.err == nil && (c.Method == methodGraphZero || c.Method == methodLegacy && !t.ep.Add) {
			m.err = t.forgets(m.op)
		}
		if m.err == nil && t.noTune {
			m.err = t.runs(m.op, 1)
		} else if m.err == nil {
			c.Microseconds, m.err = t.time(m.op, chosen.Microseconds)
		}
		t.refuse(c.Method, m.err)
		t.compared = t.compared || m.err == nil && c.graph()
		switch {
		case isLost(m.err):
			return nil, choice{}, m.err
		case m.err == nil && (best == nil || c.Microseconds < chosen.Microseconds):
			best, chosen = m.op, c
		}
		if best != nil && t.noTune {
			break
		}
	}
	return best, chosen, nil
}

// errRemembers says that an engine does not do what weight 0 shall mean.
var errRemembers = errors.New("what lay in the result before makes a difference")

// forgets runs an operation that adds its result, times 0, on zeros and on NaN
// that lie there before: the results must be the same bits. That they are finite
// would say nothing, for a ReLU may take NaN for 0.
func (t *trial) forgets(op operation) error {
	const zeros, nan = 0, 0xff
	const most = 1 << 20 // bytes to compare
	size := t.s.results() * int64(t.precision.size())
	var results [2][]byte
	for i, before := range []byte{zeros, nan} {
		if err := t.d.fill(t.at.y, before, size, t.stream); err != nil {
			return err
		}
		if err := op.run(); err != nil {
			return err
		}
		results[i] = make([]byte, min(size, most))
		if err := t.d.download(results[i], t.at.y, t.stream); err != nil {
			return err
		}
	}
	if !bytes.Equal(results[0], results[1]) {
		return errRemembers
	}
	return nil
}

// jobs are to make candidates.
func (t *trial) jobs(candidates []choice) []job {
	jobs := make([]job, len(candidates))
	for i, c := range candidates {
		jobs[i] = job{wanted{t.s, t.ep, t.at}, c}
	}
	return jobs
}

// job is to make the operation of a choice.
type job struct {
	wanted
	c choice
}

// built is an operation that was made, or why it was not; neither if it was not
// tried.
type built struct {
	op  operation
	err error
}

// builders is how many engines are compiled at once.
const builders = 8

// build compiles the engines of graphs, several at a time: that is what most of
// the time of a search goes into, and of a start.
func (e *engine) build(ctx context.Context, jobs []job) []built {
	made := make([]built, len(jobs))
	if !slices.ContainsFunc(jobs, func(j job) bool { return j.c.graph() }) {
		return made
	}
	handles := e.c.builders(min(builders, runtime.GOMAXPROCS(0)), e.stream)
	free := make(chan *cudnn, len(handles))
	for _, h := range handles {
		free <- h
	}
	var g errgroup.Group
	g.SetLimit(len(handles))
	for i, j := range jobs {
		if !j.c.graph() {
			continue
		}
		g.Go(func() error {
			leave, err := e.d.bind()
			if err == nil {
				defer leave()
				err = ctx.Err()
			}
			if err == nil {
				by := <-free
				made[i].op, err = e.make(by, j.s, j.ep, j.c, j.at)
				free <- by
			}
			made[i].err = err
			return nil
		})
	}
	_ = g.Wait() // the errors are in made
	return made
}

// errNoEngine says that a heuristic proposes nothing that the precision allows.
var errNoEngine = errors.New("no engine computes what the precision promises")
