//go:build cgo && unix

package gpu

/*
#include "cudnn.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
)

// operation is a convolution that is ready to be put into a stream.
type operation interface {
	run() error
	close()
}

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
	start, stop   object // events
	tuned         *tuned
	noTune        bool
	method        string // Options.method
}

// convolution makes the operation for a shape: the one that was found fastest
// before, else the fastest of the candidates.
func (e *engine) convolution(ctx context.Context, s convShape, ep epilogue, at operands) (operation, choice, error) {
	at.workspace = e.workspace
	key := shapeKey(s, ep, e.precision)
	if c, ok := e.tuned.Choices[key]; ok {
		op, err := e.make(s, ep, c, at)
		if err == nil {
			// An engine may be refused only when it runs.
			err = op.run()
			if err == nil {
				err = e.d.synchronize(e.stream)
			}
			if err == nil {
				return op, c, nil
			}
			op.close()
		}
		if isLost(err) || isOutOfMemory(err) {
			return nil, choice{}, err
		}
		delete(e.tuned.Choices, key)
	}
	c, err := e.search(ctx, s, ep, at)
	if err != nil {
		return nil, choice{}, fmt.Errorf("choosing an engine for a convolution %s: %w", key, err)
	}
	e.tuned.set(key, c)
	op, err := e.make(s, ep, c, at)
	return op, c, err
}

// make is the operation of a choice.
func (e *engine) make(s convShape, ep epilogue, c choice, at operands) (operation, error) {
	switch c.Method {
	case methodDirect:
		return &directPlan{e, s, ep, at}, nil
	case methodLegacy:
		return newLegacyPlan(e.c, s, ep, e.precision, at, e.workspaceSize)
	}
	g, err := newConvGraph(e.c, s, ep, e.precision, c.Method == methodGraphNarrow)
	if err != nil {
		return nil, err
	}
	return g.newPlan(c, at, e.workspaceSize)
}

// search times what there is: the engines of the graph interface, with a bias of
// float32 or, where there is none for that, of the maps' type; else the older
// interface, else our own kernel.
func (e *engine) search(ctx context.Context, s convShape, ep epilogue, at operands) (choice, error) {
	methods := []string{methodGraph}
	if ep.Bias && e.precision.size() < 4 {
		methods = append(methods, methodGraphNarrow)
	}
	for _, method := range methods {
		if e.method != "" && e.method != method {
			continue
		}
		for _, mode := range []C.int{C.RG_HEUR_MODE_A, C.RG_HEUR_MODE_B, C.RG_HEUR_MODE_FALLBACK} {
			found, err := e.propose(s, ep, method, mode)
			if isLost(err) {
				return choice{}, err
			}
			if best, err := e.fastest(ctx, s, ep, found, at); best.Method != "" || err != nil {
				return best, err
			}
		}
	}
	for _, method := range []string{methodLegacy, methodDirect} {
		if e.method != "" && e.method != method {
			continue
		}
		if best, err := e.fastest(ctx, s, ep, []choice{{Method: method}}, at); best.Method != "" || err != nil {
			return best, err
		}
	}
	return choice{}, errors.New("nothing works for it")
}

// propose asks a heuristic. That it knows of no engine is an error of cuDNN's
// that means no more.
func (e *engine) propose(s convShape, ep epilogue, method string, mode C.int) ([]choice, error) {
	g, err := newConvGraph(e.c, s, ep, e.precision, method == methodGraphNarrow)
	if err != nil {
		return nil, err
	}
	defer g.destroy()
	found, err := g.candidates(mode, e.precision)
	for i := range found {
		found[i].Method = method
	}
	return found, err
}

// fastest is the best of the candidates, without a Method if none works. The
// error is one after which it is no use to go on.
func (e *engine) fastest(ctx context.Context, s convShape, ep epilogue, candidates []choice, at operands) (best choice, err error) {
	for _, c := range candidates {
		if err := ctx.Err(); err != nil {
			return choice{}, err
		}
		op, err := e.make(s, ep, c, at)
		if err == nil {
			c.Microseconds, err = e.time(op, best.Microseconds)
			op.close()
		}
		switch {
		case isLost(err):
			return choice{}, err
		case err != nil:
			continue // refused, or too large
		case best.Method == "" || c.Microseconds < best.Microseconds:
			best = c
		}
		if e.noTune {
			return best, nil
		}
	}
	return best, nil
}

// time is how long an operation takes, in microseconds: measured longer if it
// may be better than the best so far (0: there is none).
func (e *engine) time(op operation, best float64) (float64, error) {
	if err := e.runs(op, 1); err != nil { // loads the code
		return 0, err
	}
	us, err := e.timed(op, 2)
	if err != nil || best > 0 && us > 1.3*best {
		return us, err
	}
	least := us
	for range 3 {
		if us, err = e.timed(op, 5); err != nil {
			return 0, err
		}
		least = min(least, us)
	}
	return least, nil
}

func (e *engine) runs(op operation, n int) error {
	for range n {
		if err := op.run(); err != nil {
			return err
		}
	}
	return e.d.synchronize(e.stream)
}

func (e *engine) timed(op operation, n int) (float64, error) {
	if err := e.d.record(e.start, e.stream); err != nil {
		return 0, err
	}
	for range n {
		if err := op.run(); err != nil {
			return 0, err
		}
	}
	if err := e.d.record(e.stop, e.stream); err != nil {
		return 0, err
	}
	if err := e.d.reached(e.stop); err != nil {
		return 0, err
	}
	ms, err := e.d.milliseconds(e.start, e.stop)
	return ms * 1e3 / float64(n), err
}

// directPlan is a convolution by our own kernel.
type directPlan struct {
	e  *engine
	s  convShape
	ep epilogue
	at operands
}

func (p *directPlan) run() error {
	s, side := p.s, p.at.side
	if !p.ep.Add {
		side = 0
	}
	if !p.ep.Bias {
		return errors.New("convolve needs a bias")
	}
	height, width := s.out()
	values := int64(s.N) * int64(height) * int64(width) * int64(s.K)
	return p.e.m.launch(convolve, elements(values), p.e.stream, p.at.y, p.at.x, p.at.w, p.at.bias, side, values,
		s.H, s.W, s.C, height, width, s.K, s.R, s.Stride, s.Dilation, s.Pad, s.Groups, p.ep.ReLU)
}

func (p *directPlan) close() {}
