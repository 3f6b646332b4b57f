//go:build cgo && unix

package gpu

import (
	"context"
	"errors"
	"fmt"
)

// Pending is a batch that Start has begun.
type Pending struct {
	r    *Runner
	slot *slot // nil when it is done
	err  error
}

// Start begins what Run does and returns before it is done, so that the images
// of the next batch are copied while this one is computed. src has been copied
// when Start returns; dst holds the results after Wait. Two batches can be on
// their way: a third Start waits for the first.
func (r *Runner) Start(ctx context.Context, dst, src []float32, n, h, w int) (*Pending, error) {
	return r.startInput(ctx, dst, input{floats: src}, n, h, w)
}

// StartBytes is Start for images of bytes; see RunBytes.
func (r *Runner) StartBytes(ctx context.Context, dst []float32, src []byte, n, h, w int) (*Pending, error) {
	if r.opts.Table == nil {
		return nil, errors.New("running the network: images of bytes need Options.Table to normalise them")
	}
	if src == nil {
		src = []byte{}
	}
	return r.startInput(ctx, dst, input{bytes: src}, n, h, w)
}

func (r *Runner) startInput(ctx context.Context, dst []float32, in input, n, h, w int) (*Pending, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("running the network: the runner is closed")
	}
	if err := checkRun(r.plan, len(dst), in.len(), n, h, w); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil || n == 0 {
		return &Pending{r: r}, err
	}
	leave, err := r.d.enter()
	if err != nil {
		return nil, fmt.Errorf("running the network: %w", err)
	}
	defer leave()
	at := r.next
	k, err := r.begin(dst, in, 0, n, in.len()/n, h, w)
	if err != nil {
		return nil, err
	}
	p := &Pending{r: r}
	if k < n { // too many for one: the rest is computed here
		perImage := len(dst) / n
		return p, r.inParts(ctx, dst[k*perImage:], in.part(k, n-k, in.len()/n), n-k, h, w)
	}
	p.slot = &r.slots[at]
	p.slot.pending = p
	return p, nil
}

// Wait returns when the results are there.
func (p *Pending) Wait() error {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.slot == nil {
		return p.err
	}
	leave, err := p.r.d.enter()
	if err != nil {
		return err
	}
	defer leave()
	return p.slot.end(p.r)
}
