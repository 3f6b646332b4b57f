//go:build cgo && unix

package gpu

import (
	"context"
	"fmt"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
)

// using calls f with the device's context, one call at a time.
func (r *Runner) using(f func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return engine.ErrClosed
	}
	leave, err := r.d.Enter()
	if err != nil {
		return fmt.Errorf("running the network: %w", err)
	}
	defer leave()
	return r.cause(f())
}

// Prepare chooses the engines for batches of n images of h x w, which otherwise the
// first of them waits for.
func (r *Runner) Prepare(ctx context.Context, n, h, w int) error {
	if n < 1 || h < 1 || w < 1 {
		return fmt.Errorf("preparing the network: want images of at least 1x1, got %d of %dx%d", n, h, w)
	}
	return r.using(func() error {
		_, _, err := r.fitting(ctx, n, h, w)
		return err
	})
}

// Run computes n images of h x w. src holds them normalised, each InChannels, h, w.
// dst takes the plan's OutLen(h, w) values for each: logits, or the last feature map
// of a plan without a head. More images than there is memory for are computed in
// parts; each part is copied while the one before is computed. When ctx ends, Run
// returns its error after the current part, or while it chooses engines, with dst
// partly written.
func (r *Runner) Run(ctx context.Context, dst, src []float32, n, h, w int) error {
	return r.RunQueued(ctx, dst, src, n, h, w, 1)
}

// RunQueued is Run, but the network is run so many times, one after the other,
// before the results are copied. That measures the GPU without the host.
func (r *Runner) RunQueued(ctx context.Context, dst, src []float32, n, h, w, times int) error {
	in := input{floats: src, times: times}
	if err := engine.CheckRun(r.plan, len(dst), in.len(), n, h, w); err != nil {
		return err
	}
	return r.using(func() error {
		if n == 0 {
			return ctx.Err()
		}
		return r.inParts(ctx, dst, in, n, h, w)
	})
}

// cause replaces an error of cuDNN by the loss of the device where that caused it.
func (r *Runner) cause(err error) error {
	if cuda.IsCUDNN(err) {
		if lost := r.compute.Synchronize(); cuda.IsLost(lost) {
			return fmt.Errorf("running the network: %w", lost)
		}
	}
	return err
}

// inParts is Run without its checks. No batch is pending after it, also after an
// error.
func (r *Runner) inParts(ctx context.Context, dst []float32, in input, n, h, w int) (err error) {
	defer func() {
		if last := r.drain(); err == nil { // the first error counts
			err = last
		}
	}()
	out, perImage := len(dst)/n, in.len()/n
	for first := 0; first < n; {
		if err := ctx.Err(); err != nil {
			return err
		}
		k, err := r.begin(ctx, dst[first*out:], in, first, n-first, perImage, h, w)
		if err != nil {
			return err
		}
		first += k
	}
	return nil
}

// begin starts as many of n images, from first on, as can be computed at once, and
// returns their number.
func (r *Runner) begin(ctx context.Context, dst []float32, in input, first, n, perImage, h, w int) (int, error) {
	for {
		p, k, err := r.fitting(ctx, n, h, w)
		if err != nil {
			return 0, err
		}
		s := &r.slots[r.next]
		if err := s.end(r); err != nil {
			return 0, err
		}
		err = s.begin(r, p, dst[:k*r.plan.OutLen(h, w)], in.part(first, k, perImage), k)
		switch {
		case err == nil && r.opts.Resident:
			return k, nil // diagnose needs the images in the slot that sent them
		case err == nil:
			r.next = 1 - r.next
			return k, nil
		case !cuda.IsOutOfMemory(err) || k == 1:
			return 0, fmt.Errorf("running the network: %w", err)
		}
		if err := r.halve(k); err != nil {
			return 0, err
		}
	}
}

// fitting is a program for up to n images, and how many it takes. When memory is
// short it halves the number of images that are computed at once.
func (r *Runner) fitting(ctx context.Context, n, h, w int) (*program, int, error) {
	for {
		k := n
		if k > r.limit {
			k = (n + (n+r.limit-1)/r.limit - 1) / ((n + r.limit - 1) / r.limit) // parts of one size
		}
		_, fit, err := arenaSizes(r.plan, r.widths, k, h, w, r.precision.size())
		if err != nil {
			return nil, 0, err
		}
		if fit < k {
			r.limit = fit
			continue
		}
		p, err := r.program(ctx, k, h, w)
		if err == nil {
			return p, k, nil
		}
		if !cuda.IsOutOfMemory(err) || k == 1 {
			return nil, 0, err
		}
		if err := r.halve(k); err != nil {
			return nil, 0, err
		}
	}
}

// halve makes room by computing fewer images at once. It waits for pending batches
// before and returns their error.
func (r *Runner) halve(k int) error {
	if err := r.drain(); err != nil {
		return err
	}
	r.limit = (k + 1) / 2
	r.dropPrograms()
	r.freeArenas()
	r.note("the GPU's memory is short: %d images are computed at once instead of %d", r.limit, k)
	return nil
}

// drain waits for the pending batches, the older first.
func (r *Runner) drain() error {
	var first error
	for i := range r.slots {
		if err := r.slots[(r.next+i)%2].end(r); err != nil && first == nil {
			first = err
		}
	}
	return first
}
