//go:build cgo && unix

package gpu

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

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
func (e *convolver) build(ctx context.Context, jobs []job) []built {
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
				made[i].op, err = e.make(by, j.wanted, j.c)
				free <- by
			}
			made[i].err = err
			return nil
		})
	}
	_ = g.Wait() // the errors are in made
	return made
}

// prebuild makes the operations whose engines were chosen before, several at a
// time, for convolution to find. discard ends those that it did not ask for.
func (e *convolver) prebuild(ctx context.Context, all []wanted) {
	var jobs []job
	var keys []string
	for _, w := range all {
		key := w.key(e.precision)
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

func (e *convolver) discard() {
	for _, b := range e.waiting {
		if b.op != nil {
			b.op.close()
		}
	}
	e.waiting = nil
}
