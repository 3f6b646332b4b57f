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
	"slices"
	"strings"
)

// trial is the search for a convolution's engine.
type trial struct {
	*convolver
	wanted
	// refusals are why candidates are none, the first of each method; short is an
	// error of memory that kept some out.
	refusals []string
	short    error
	compared bool // an engine of a graph works
}

// perMethod is how many engines of a method are tried, perOther how many more that
// another heuristic than the first proposes. They come in the order in which cuDNN
// expects them to be fast; each costs a compilation.
const perMethod, perOther = 6, 2

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
		for i, mode := range modes {
			found, err := t.proposals(method, mode)
			t.refuse(method, err)
			for _, c := range found {
				if len(own) < perMethod+i*perOther && !slices.ContainsFunc(own, c.same) {
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
	g, err := newConvGraph(t.c, t.wanted, t.precision, method)
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
			m.op, m.err = t.make(t.c, t.wanted, c)
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
		jobs[i] = job{t.wanted, c}
	}
	return jobs
}

// errNoEngine says that a heuristic proposes nothing that the precision allows.
var errNoEngine = errors.New("no engine computes what the precision promises")
