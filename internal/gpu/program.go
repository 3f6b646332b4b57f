//go:build cgo && unix

package gpu

import (
	"context"
	"fmt"
	"slices"

	"repvgg/internal/gpu/cuda"
)

// program is the network for one size of batch: the work that is queued once the
// images are in Runner.images.
type program struct {
	programKey
	r *Runner
	// layers are those of the plan, then the head (or the copy of the last map).
	layers []programLayer
	graph  *cuda.Graph // of all layers; nil if they can't be captured

	// Buffers of a row for each image: means of channels, the squeezed vectors and
	// gates of squeeze-and-excitation, results. flags has a word for each layer.
	pooled, squeezed, gates, results, flags cuda.Ptr
	operations                              []operation
	first                                   map[string]chosen // the operations of different shapes
}

// chosen is an operation with its choice.
type chosen struct {
	op operation
	by choice
}

// programLayer is the work of a layer.
type programLayer struct {
	name, algorithm string
	steps           []func() error
	check           func() error // sets the layer's flag; nil for the head
}

// newProgram makes the operations of the layers, runs them once, so that all code
// is loaded, and captures them.
func newProgram(ctx context.Context, r *Runner, key programKey) (*program, error) {
	p := &program{programKey: key, r: r, first: make(map[string]chosen)}
	if err := p.make(ctx); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *program) make(ctx context.Context) error {
	r := p.r
	if err := p.allocate(); err != nil {
		return err
	}
	blocks, h, w := p.convolutions()
	r.convolver.prebuild(ctx, slices.Concat(blocks...))
	defer r.convolver.discard()
	for i, l := range r.weights.layers {
		if err := p.layer(ctx, i, l, blocks[i]); err != nil {
			return fmt.Errorf("block %q: %w", l.Name, err)
		}
	}
	p.head(h, w)
	if err := p.issue(r.opts.CheckLayers); err != nil {
		return err
	}
	if err := r.compute.Synchronize(); err != nil {
		return err
	}
	var err error
	p.graph, err = r.compute.Capture(func() error { return p.issue(r.opts.CheckLayers) })
	if err != nil && !cuda.IsLost(err) && !cuda.IsOutOfMemory(err) {
		// Some engine can't be captured. Launching its kernels one by one only costs
		// more time.
		r.note("the network is run without a CUDA graph: %v", err)
		err = r.compute.Synchronize()
	}
	return err
}

// allocate allocates the buffers.
func (p *program) allocate() error {
	r := p.r
	channels, squeeze := slices.Max(r.widths), 1
	for _, l := range r.weights.layers {
		if l.SE != nil {
			squeeze = max(squeeze, l.SE.Channels)
		}
	}
	for _, b := range []struct {
		p      *cuda.Ptr
		values int64
	}{
		{&p.pooled, int64(p.N) * int64(channels)}, {&p.gates, int64(p.N) * int64(channels)},
		{&p.squeezed, int64(p.N) * int64(squeeze)},
		{&p.results, int64(p.N) * int64(r.plan.OutLen(p.H, p.W))},
		{&p.flags, int64(len(r.weights.layers))},
	} {
		var err error
		if *b.p, err = r.d.Alloc(4 * b.values); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) close() {
	p.graph.Close()
	for _, op := range slices.Backward(p.operations) { // those that were rebound before their origins
		op.close()
	}
	p.operations, p.first = nil, nil
	for _, b := range []*cuda.Ptr{&p.pooled, &p.squeezed, &p.gates, &p.results, &p.flags} {
		p.r.d.Free(b)
	}
}

// issue queues all layers; check says that their flags are set too.
func (p *program) issue(check bool) error {
	if check {
		if err := p.clearFlags(); err != nil {
			return err
		}
	}
	for i := range p.layers {
		if err := p.layers[i].issue(check); err != nil {
			return fmt.Errorf("block %q: %w", p.layers[i].name, err)
		}
	}
	return nil
}

func (l *programLayer) issue(check bool) error {
	for _, step := range l.steps {
		if err := step(); err != nil {
			return err
		}
	}
	if check && l.check != nil {
		return l.check()
	}
	return nil
}

func (p *program) clearFlags() error {
	return p.r.compute.Fill(p.flags, 0, int64(4*len(p.r.weights.layers)))
}

// run queues the network: as a graph, or layer by layer to measure each.
func (p *program) run() error {
	switch {
	case p.r.trace:
		return p.traced()
	case p.graph == nil:
		return p.issue(p.r.opts.CheckLayers)
	}
	return p.r.compute.Launch(p.graph)
}

// traced runs the network layer by layer and measures each.
func (p *program) traced() error {
	r := p.r
	if err := p.clearFlags(); err != nil {
		return err
	}
	for i := range p.layers {
		l := &p.layers[i]
		ms, err := r.convolver.elapsed(func() error { return l.issue(r.opts.CheckLayers) })
		if err != nil {
			return err
		}
		r.addTime(i, l.name, l.algorithm, ms)
	}
	return nil
}
