//go:build cgo && unix

package gpu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/gpu/cuda"
)

// search is the search for the fastest way to compute a convolution.
type search struct {
	*convolver
	convolution
	// refusals say why candidates were refused, the first of each method. short is
	// the error of one that was refused for want of memory.
	refusals []string
	short    error
	compared bool // an engine of a graph works
}

// perMethod is how many engines of a method are tried, perOther how many more that
// a second heuristic proposes. cuDNN sorts its proposals by the speed that it
// expects; each one that is tried costs a compilation.
const perMethod, perOther = 6, 2

// run takes the fastest of the candidates: the engines for each way to put the
// convolution to cuDNN, and the older interface. If none works it tries cuDNN's
// fallback engines, then our own kernel.
func (s *search) run(ctx context.Context) (operation, choice, error) {
	if s.announce != "" && !s.noTune {
		s.note("%s", s.announce)
		s.announce = ""
	}
	for _, list := range s.lists() {
		candidates := slices.DeleteFunc(list(), func(c choice) bool { return s.method != "" && s.method != c.Method })
		op, c, err := s.fastest(ctx, candidates)
		if op != nil || err != nil {
			return op, c, err
		}
	}
	if s.short != nil {
		return nil, choice{}, s.short
	}
	return nil, choice{}, fmt.Errorf("nothing works for it: %s", strings.Join(s.refusals, "; "))
}

// lists make the candidates. Each list is tried if nothing of those before works.
// The first has all that may be fast, or without tuning only one method.
func (s *search) lists() []func() []choice {
	methods := s.methods()
	legacy := func() []choice { return []choice{{Method: methodLegacy}} }
	var lists []func() []choice
	if s.noTune {
		for _, m := range methods {
			lists = append(lists, func() []choice { return s.propose([]string{m}, cuda.HeuristicA, cuda.HeuristicB) })
		}
		lists = append(lists, legacy)
	} else {
		lists = append(lists, func() []choice { return append(s.propose(methods, cuda.HeuristicA, cuda.HeuristicB), legacy()...) })
	}
	lists = append(lists, func() []choice { return s.propose(methods, cuda.HeuristicFallback) })
	if !s.noDirect {
		lists = append(lists, func() []choice {
			if s.short != nil && s.shape.N > 1 {
				return nil // a smaller batch may leave memory for the others
			}
			return []choice{{Method: methodDirect}}
		})
	}
	return lists
}

// methods are the graphs that can compute the convolution.
func (s *search) methods() []string {
	methods := []string{methodGraph}
	if s.precision.size() < 4 {
		methods = append(methods, methodGraphNarrow)
	}
	if !s.epilogue.Add {
		methods = append(methods, methodGraphZero)
	}
	return append(methods, methodGraphPlain)
}

// propose asks heuristics for the engines of methods.
func (s *search) propose(methods []string, heuristics ...cuda.Heuristic) []choice {
	var all []choice
	for _, method := range methods {
		var own []choice
		for i, by := range heuristics {
			found, err := s.proposals(method, by)
			s.refuse(method, err)
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

// errNoEngine says that a heuristic proposes nothing that the precision allows.
var errNoEngine = errors.New("no engine computes what the precision promises")

// proposals asks one heuristic for the engines of a method that the precision
// allows. It is an error if there are none.
func (s *search) proposals(method string, by cuda.Heuristic) ([]choice, error) {
	engines, err := s.dnn.Engines(s.graph(s.precision, method), by)
	if err != nil {
		return nil, err
	}
	if len(engines) == 0 {
		return nil, errNoEngine
	}
	var found []choice
	for _, e := range engines {
		if s.precision.allowed(e.Notes) {
			found = append(found, choice{Method: method, Engine: e.Index, Knobs: e.Knobs})
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w; %d were proposed", errNoEngine, len(engines))
	}
	return found, nil
}

// refuse records why a method has no candidate, or why a candidate is refused. A
// nil error is none.
func (s *search) refuse(method string, err error) {
	if cuda.IsOutOfMemory(err) {
		s.short = err
	}
	known := func(r string) bool { return strings.HasPrefix(r, method+": ") }
	if err != nil && !slices.ContainsFunc(s.refusals, known) {
		s.refusals = append(s.refusals, fmt.Sprintf("%s: %v", method, err))
	}
}

// fastest is the fastest of the candidates, nil if none works. An error means that
// the search is of no use any more.
func (s *search) fastest(ctx context.Context, candidates []choice) (best operation, chosen choice, err error) {
	made := make([]built, len(candidates)) // without tuning they are made one by one, until one works
	if !s.noTune {
		made = s.build(ctx, s.jobs(candidates))
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
			m.op, m.err = s.make(s.dnn, s.convolution, c)
		}
		if m.err == nil && (c.Method == methodGraphZero || c.Method == methodLegacy && !s.epilogue.Add) {
			m.err = s.checkIndependent(m.op)
		}
		if m.err == nil && s.noTune {
			m.err = s.runs(m.op, 1)
		} else if m.err == nil {
			c.Microseconds, m.err = s.time(m.op, chosen.Microseconds)
		}
		s.refuse(c.Method, m.err)
		s.compared = s.compared || m.err == nil && c.graph()
		switch {
		case cuda.IsLost(m.err):
			return nil, choice{}, m.err
		case m.err == nil && (best == nil || c.Microseconds < chosen.Microseconds):
			best, chosen = m.op, c
		}
		if best != nil && s.noTune {
			break
		}
	}
	return best, chosen, nil
}

// errDependent says that an engine does not treat 0 times a tensor as nothing.
var errDependent = errors.New("the result depends on what was in its memory before")

// checkIndependent refuses an operation whose result depends on the old contents
// of y, which it adds times 0. It runs the operation on zeros and on NaN: the
// results must have the same bits. Looking for NaN in a result would not do, since
// ReLU may turn NaN into 0.
func (s *search) checkIndependent(op operation) error {
	const zeros, nan = 0, 0xff
	const most = 1 << 20 // bytes to compare
	size := s.shape.Results() * int64(s.precision.size())
	var results [2][]byte
	for i, before := range []byte{zeros, nan} {
		if err := s.stream.Fill(s.at.y, before, size); err != nil {
			return err
		}
		if err := op.run(); err != nil {
			return err
		}
		results[i] = make([]byte, min(size, most))
		if err := s.stream.Download(results[i], s.at.y); err != nil {
			return err
		}
	}
	if !bytes.Equal(results[0], results[1]) {
		return errDependent
	}
	return nil
}

// jobs are the candidates as operations to make.
func (s *search) jobs(candidates []choice) []job {
	jobs := make([]job, len(candidates))
	for i, c := range candidates {
		jobs[i] = job{s.convolution, c}
	}
	return jobs
}
