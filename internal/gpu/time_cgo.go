//go:build cgo && unix

package gpu

/*
#include "driver.h"
*/
import "C"

import (
	"math"
	"time"
)

// How candidates are timed: so many launches of a graph of so many runs, which
// together take about stretch microseconds, on a GPU that has been busy for
// warmUp before.
const (
	launches = 4
	mostRuns = 20
	stretch  = 3000
	warmUp   = 100 * time.Millisecond
)

// time is how long an operation takes, in microseconds, within a CUDA graph: that
// is how programs run it, and the host's share does not count. An operation that
// can't be captured is an error. It is not measured to the end if it is clearly
// worse than the best so far (0: there is none).
func (e *convolver) time(op operation, best float64) (float64, error) {
	if err := e.runs(op, 1); err != nil { // loads the code
		return 0, err
	}
	for start := time.Now(); !e.warm && time.Since(start) < warmUp; {
		if err := e.runs(op, 10); err != nil {
			return 0, err
		}
	}
	e.warm = true
	us, err := e.timed(op.run, 1)
	if err != nil {
		return 0, err
	}
	runs := min(max(int(stretch/us), 2), mostRuns)
	exec, err := e.d.capture(e.stream, func() error { return repeat(runs, op.run) })
	if err != nil {
		return 0, err
	}
	defer e.d.destroyGraph(&exec)
	launch := func() error {
		return e.d.check("cuGraphLaunch", C.rg_graph_launch(&e.d.d, exec, e.stream))
	}
	if err := launch(); err != nil { // the first also brings the graph to the device
		return 0, err
	}
	least := math.Inf(1)
	for range launches {
		us, err := e.timed(launch, 1)
		if err != nil {
			return 0, err
		}
		least = min(least, us/float64(runs))
		if best > 0 && least > 1.5*best {
			break
		}
	}
	return least, nil
}

// runs runs an operation n times and waits for it.
func (e *convolver) runs(op operation, n int) error {
	if err := repeat(n, op.run); err != nil {
		return err
	}
	return e.d.synchronize(e.stream)
}

// timed is how long each of n calls of f keeps the stream busy, in microseconds.
func (e *convolver) timed(f func() error, n int) (float64, error) {
	if err := e.d.record(e.start, e.stream); err != nil {
		return 0, err
	}
	if err := repeat(n, f); err != nil {
		return 0, err
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

func repeat(n int, f func() error) error {
	for range n {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}
