//go:build cgo && unix

package gpu

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"repvgg/internal/gpu/cuda"
)

// job is an operation to make.
type job struct {
	convolution
	by choice
}

// built is the outcome of a job: an operation, an error, or neither if it was not
// tried.
type built struct {
	op  operation
	err error
}

// builders is how many engines are compiled at once.
const builders = 8

// build compiles the engines of graphs, several at a time: most of the time of a
// search, and of a start with known choices, goes into that. Other jobs are left
// out.
func (v *convolver) build(ctx context.Context, jobs []job) []built {
	made := make([]built, len(jobs))
	if !slices.ContainsFunc(jobs, func(j job) bool { return j.by.graph() }) {
		return made
	}
	handles := v.dnn.Handles(min(builders, runtime.GOMAXPROCS(0)), v.stream)
	free := make(chan *cuda.CUDNN, len(handles))
	for _, h := range handles {
		free <- h
	}
	var g errgroup.Group
	g.SetLimit(len(handles))
	for i, j := range jobs {
		if !j.by.graph() {
			continue
		}
		g.Go(func() error {
			leave, err := v.d.Bind()
			if err == nil {
				defer leave()
				err = ctx.Err()
			}
			if err == nil {
				dnn := <-free
				made[i].op, err = v.make(dnn, j.convolution, j.by)
				free <- dnn
			}
			made[i].err = err
			return nil
		})
	}
	_ = g.Wait() // the errors are in made
	return made
}

// prebuild makes the operations whose engines were chosen before, several at a
// time. operation takes them; discard closes those that are left.
func (v *convolver) prebuild(ctx context.Context, all []convolution) {
	var jobs []job
	var keys []string
	for _, c := range all {
		key := c.key(v.precision)
		if by, ok := v.chosen(key); ok && by.graph() && !slices.Contains(keys, key) {
			c.at.workspace = v.workspace
			jobs, keys = append(jobs, job{c, by}), append(keys, key)
		}
	}
	if len(jobs) < 2 {
		return
	}
	v.prebuilt = make(map[string]built)
	for i, b := range v.build(ctx, jobs) {
		v.prebuilt[keys[i]] = b
	}
}

func (v *convolver) discard() {
	for _, b := range v.prebuilt {
		if b.op != nil {
			b.op.close()
		}
	}
	v.prebuilt = nil
}
