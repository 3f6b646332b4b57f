package cpu

import (
	"fmt"
	"time"

	"repvgg/internal/cpu/kernel"
)

// executor takes images through the network, a layer at a time: on one worker, or
// on all of them, who then share each layer's work.
type executor struct {
	r *Runner
	// worker is its only one, or all.
	worker int
	buffers
	// asked is the group that the buffers were asked for: there may be room for fewer
	// images only.
	asked int

	// step is being computed, in so many shares, by doShare if the workers share it.
	step    step
	shares  int
	doShare func(worker, i int)

	times []time.Duration // by layer, for Runner.layerTimes
}

// all, in place of a worker, is all of them.
const all = -1

func newExecutor(r *Runner, worker int) *executor {
	e := &executor{r: r, worker: worker, times: make([]time.Duration, len(r.layers)+1)}
	// As a value: making it at each use would allocate.
	e.doShare = func(worker, i int) { e.step.do(&e.step, e.share(worker, i, e.shares)) }
	return e
}

// share is what a worker computes of a step.
func (e *executor) share(worker, i, n int) kernel.Share {
	return kernel.Share{I: i, N: n, Scratch: &e.r.scratch[worker]}
}

// compute runs a step in shares.
func (e *executor) compute(shares int, s step) {
	e.step, e.shares = s, shares
	if e.worker == all {
		e.r.pool.run(shares, e.doShare)
		return
	}
	for i := range shares {
		e.doShare(e.worker, i)
	}
}

// workers is how many there are.
func (e *executor) workers() int {
	if e.worker == all {
		return e.r.pool.threads()
	}
	return 1
}

// groupBytes is what the feature maps of a group may take before it is divided:
// about what they take of a large processor's last-level cache.
const groupBytes = 48 << 20

// prepare makes room for groups of images of h x w, of which the first layers
// take single at a time, or for fewer if there is no room; limit is what there
// is at most, in bytes.
func (e *executor) prepare(h, w, group, single int, limit int64) error {
	if e.h == h && e.w == w && e.asked >= group && e.single >= min(single, e.group) {
		return nil
	}
	b := e.r.buffers(h, w, group, single, false)
	for b.bytes > min(groupBytes, limit) && b.group > 1 {
		half := ceilDiv(b.group, 2)
		b = e.r.buffers(h, w, half, min(b.single, half), false)
	}
	if b.bytes > limit {
		return fmt.Errorf("running the network: images of %dx%d need %d MB for their feature maps, of %d MB there may be; use smaller images or fewer threads", h, w, b.bytes/1e6, limit/1e6)
	}
	e.buffers = buffers{} // not both at the same time
	e.buffers, e.asked = e.r.buffers(h, w, b.group, b.single, true), group
	return nil
}
