package cpu

import (
	"time"

	"repvgg/internal/cpu/kernel"
)

// run takes images [first, end) of the batch through the network, as many at once
// as there is room for.
func (e *executor) run(b *batch, first, end int) error {
	for i := first; i < end; i += e.group {
		if err := e.forward(b, i, min(e.group, end-i)); err != nil {
			return err
		}
	}
	return b.ctx.Err()
}

// forward takes n images, at most a group, through the network: through the layers
// of the front a few at a time, then together.
func (e *executor) forward(b *batch, first, n int) error {
	few := e.single
	if e.front == 0 {
		few = n
	}
	for i := 0; i < n; i += few {
		k := min(few, n-i)
		e.input.Load(b.images(first+i, k), k)
		src := e.input
		for j := range e.front {
			dst := e.outputs[j]
			if j == e.front-1 {
				dst = dst.From(i) // beside those before them
			}
			if err := e.layer(b, j, dst, src, first+i, k); err != nil {
				return err
			}
			src = dst
		}
	}
	src := e.input
	if e.front > 0 {
		src = e.outputs[e.front-1]
	}
	for j := e.front; j < len(e.outputs); j++ {
		if err := e.layer(b, j, e.outputs[j], src, first, n); err != nil {
			return err
		}
		src = e.outputs[j]
	}
	start := e.clock()
	e.results(b.results(first, n), src, n)
	e.stop(len(e.outputs), start)
	return nil
}

// layer computes a layer for n images of the batch, from the image first on.
func (e *executor) layer(b *batch, i int, dst, src kernel.Maps, first, n int) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	start := e.clock()
	l, in := e.r.layers[i], src
	if l.in.Elem != src.Elem {
		in = e.rounded[i]
		e.narrow(in, src, n)
	}
	e.convolve(&l.main, dst, in, n)
	for j := range l.others {
		e.convolve(&l.others[j], dst, src, n)
	}
	if l.identity != nil {
		e.addIdentity(l.identity, dst, src, n)
	}
	if l.se != nil {
		e.average(e.means, dst, n)
		e.excite(l.se, n)
		e.gate(dst, e.gates, n, l.se.relu)
	}
	e.stop(i, start)
	if e.r.observe != nil {
		e.r.observe(Activation{Layer: i, Name: l.Name, Image: first, N: n, Channels: dst.Channels, H: dst.H, W: dst.W, maps: dst})
	}
	return nil
}

// excite turns the means of n images' channels into factors for them.
func (e *executor) excite(se *excitation, n int) {
	whole := e.share(max(e.worker, 0), 0, 1) // too little to be shared
	se.reduce.Run(&e.squeezed, &e.means, 1, se.reduce.epilogue, whole)
	se.expand.Run(&e.gates, &e.squeezed, 1, se.expand.epilogue, whole)
	for block := range se.expand.Panels() {
		kernel.Sigmoid(e.gates.Row(0, block, 0)[:n*kernel.Lanes])
	}
}

// results turns the last feature maps into what Run gives.
func (e *executor) results(dst []float32, last kernel.Maps, n int) {
	if e.r.head == nil {
		last.Store(dst, n)
		return
	}
	e.average(e.means, last, n)
	e.convolve(e.r.head, e.logits, e.means, 1)
	classes := len(dst) / n
	for i := range n {
		for c := 0; c < classes; c += kernel.Lanes {
			copy(dst[i*classes+c:(i+1)*classes], pixel(&e.logits, i, c/kernel.Lanes))
		}
	}
}

// clock is the time, if layers are timed.
func (e *executor) clock() (t time.Time) {
	if e.r.tracing {
		t = time.Now()
	}
	return t
}

// stop adds what has passed since start to a layer's time.
func (e *executor) stop(layer int, start time.Time) {
	if e.r.tracing {
		e.times[layer] += time.Since(start)
	}
}
