//go:build cgo && unix

package gpu

import (
	"math"
	"time"
)

// A candidate is timed by several launches of a CUDA graph of several runs.
// Together the launches take about stretch microseconds. The GPU is kept busy for
// warmUp before.
const (
	launches = 4
	mostRuns = 20
	stretch  = 3000
	warmUp   = 100 * time.Millisecond
)

// time is how long an operation takes, in microseconds. It is run within a CUDA
// graph, as programs run it, so that the host's share does not count. An operation
// that can't be captured is an error. Timing ends early if the operation is clearly
// slower than best, the fastest so far (0 if there is none).
func (v *convolver) time(op operation, best float64) (float64, error) {
	if err := v.runs(op, 1); err != nil { // loads the code
		return 0, err
	}
	for start := time.Now(); !v.warm && time.Since(start) < warmUp; {
		if err := v.runs(op, 10); err != nil {
			return 0, err
		}
	}
	v.warm = true
	us, err := v.timed(op.run, 1)
	if err != nil {
		return 0, err
	}
	runs := min(max(int(stretch/us), 2), mostRuns)
	graph, err := v.stream.Capture(func() error { return repeat(runs, op.run) })
	if err != nil {
		return 0, err
	}
	defer graph.Close()
	launch := func() error { return v.stream.Launch(graph) }
	if err := launch(); err != nil { // the first also uploads the graph
		return 0, err
	}
	least := math.Inf(1)
	for range launches {
		us, err := v.timed(launch, 1)
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
func (v *convolver) runs(op operation, n int) error {
	if err := repeat(n, op.run); err != nil {
		return err
	}
	return v.stream.Synchronize()
}

// timed is how long each of n calls of f keeps the stream busy, in microseconds.
func (v *convolver) timed(f func() error, n int) (float64, error) {
	ms, err := v.elapsed(func() error { return repeat(n, f) })
	return ms * 1e3 / float64(n), err
}

// elapsed is how long the work that f queues keeps the stream busy, in
// milliseconds. It waits for that work.
func (v *convolver) elapsed(f func() error) (milliseconds float64, err error) {
	if err := v.stream.Record(v.start); err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	if err := v.stream.Record(v.stop); err != nil {
		return 0, err
	}
	if err := v.stop.Synchronize(); err != nil {
		return 0, err
	}
	return v.stop.Since(v.start)
}

func repeat(n int, f func() error) error {
	for range n {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}
