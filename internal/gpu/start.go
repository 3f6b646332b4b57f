//go:build cgo && unix

package gpu

import (
	"context"
	"errors"

	"repvgg/internal/engine"
)

// pending is a batch that StartBytes has begun.
type pending struct {
	r    *Runner
	slot *slot // nil after its end
	err  error
}

// StartBytes begins to compute n images of bytes, each h, w, InChannels, which the
// device normalises by Options.Table. It returns before they are computed, so that
// the next batch can be decoded and copied meanwhile. src has been copied when
// StartBytes returns. dst holds the results, as of Run, after wait, which must be
// called. Two batches can be pending: a third StartBytes waits for the first.
func (r *Runner) StartBytes(ctx context.Context, dst []float32, src []byte, n, h, w int) (wait func() error, err error) {
	if r.opts.Table == nil {
		return nil, errors.New("running the network: images of bytes need Options.Table to normalise them")
	}
	if src == nil {
		src = []byte{}
	}
	in := input{bytes: src, times: 1}
	if err := engine.CheckRun(r.plan, len(dst), in.len(), n, h, w); err != nil {
		return nil, err
	}
	p := &pending{r: r}
	err = r.using(func() error {
		if err := ctx.Err(); err != nil || n == 0 {
			return err
		}
		at := r.next
		k, err := r.begin(ctx, dst, in, 0, n, in.len()/n, h, w)
		if err != nil {
			return err
		}
		if k < n { // too many for one batch: the rest is computed before StartBytes returns
			perImage := len(dst) / n
			return r.inParts(ctx, dst[k*perImage:], in.part(k, n-k, in.len()/n), n-k, h, w)
		}
		p.slot = &r.slots[at]
		p.slot.pending = p
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p.wait, nil
}

// wait returns when dst holds the results.
func (p *pending) wait() error {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.slot == nil {
		return p.err
	}
	leave, err := p.r.d.Enter()
	if err != nil {
		return err
	}
	defer leave()
	return p.slot.end(p.r)
}
