//go:build cgo && unix

package gpu

/*
#include "driver.h"
*/
import "C"

import (
	"context"
	"fmt"
	"slices"
)

// program is the network for one size of batch: what is put into the stream
// after the images lie in Runner.images.
type program struct {
	programKey
	r *Runner
	// layers are those of the plan, then the head (or the copy of the last map).
	layers []programLayer
	exec   object // the captured graph; nil if capturing is refused

	// Rows for each image: means of channels, what squeeze-and-excitation makes
	// of them, results. flags has a word for each layer.
	pooled, squeezed, gates, results, flags devptr
	operations                              []operation
	first                                   map[string]chosen // the operations of different shapes
}

// chosen is an operation with the choice that it is of.
type chosen struct {
	op operation
	c  choice
}

// programLayer is what a layer puts into the stream.
type programLayer struct {
	name, algorithm string
	steps           []func() error
	check           func() error // sets the layer's flag; nil for the head
}

// newProgram makes the operations of the layers, runs them once, so that all
// code is loaded, and captures them.
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
	if err := r.d.synchronize(r.compute); err != nil {
		return err
	}
	var err error
	p.exec, err = r.d.capture(r.compute, func() error { return p.issue(r.opts.CheckLayers) })
	if err != nil && !isLost(err) && !isOutOfMemory(err) {
		// An engine that can't be captured: its launches cost more, that is all.
		r.note("the network is run without a CUDA graph: %v", err)
		err = r.d.synchronize(r.compute)
	}
	return err
}

// allocate makes the rows.
func (p *program) allocate() error {
	r := p.r
	channels, squeeze := slices.Max(r.widths), 1
	for _, l := range r.weights.layers {
		if l.SE != nil {
			squeeze = max(squeeze, l.SE.Channels)
		}
	}
	for _, b := range []struct {
		p      *devptr
		values int64
	}{
		{&p.pooled, int64(p.N) * int64(channels)}, {&p.gates, int64(p.N) * int64(channels)},
		{&p.squeezed, int64(p.N) * int64(squeeze)},
		{&p.results, int64(p.N) * int64(r.plan.OutLen(p.H, p.W))},
		{&p.flags, int64(len(r.weights.layers))},
	} {
		var err error
		if *b.p, err = r.d.alloc(4 * b.values); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) close() {
	d := p.r.d
	d.destroyGraph(&p.exec)
	for _, op := range slices.Backward(p.operations) { // the later ones may be made of the earlier
		op.close()
	}
	p.operations, p.first = nil, nil
	for _, b := range []*devptr{&p.pooled, &p.squeezed, &p.gates, &p.results, &p.flags} {
		d.free(b)
	}
}

// convolutions are those of each block: the main one and, in the train form,
// before it, the one beside it, whose result is added to the main one's. h and w
// are the size of the last map.
func (p *program) convolutions() (blocks [][]wanted, h, w int) {
	r := p.r
	h, w = p.H, p.W
	for i, l := range r.weights.layers {
		src, dst := r.maps[i%2], r.maps[(i+1)%2]
		if i == 0 {
			src = r.images
		}
		main := wanted{
			shapeOf(l.main.shape, p.N, h, w, l.in, l.out), epilogue{Bias: true, ReLU: l.SE == nil},
			operands{x: src, w: l.main.weight, bias: l.main.bias, narrowBias: l.main.narrowBias, y: dst},
		}
		var own []wanted
		if l.side.weight != 0 {
			own = append(own, wanted{
				shapeOf(l.side.shape, p.N, h, w, l.in, l.out), epilogue{Bias: true},
				operands{x: src, w: l.side.weight, bias: l.side.bias, narrowBias: l.side.narrowBias, y: r.side},
			})
			main.at.side, main.ep.Add = r.side, true
		}
		blocks = append(blocks, append(own, main))
		h, w = l.OutSize(h, w)
	}
	return blocks, h, w
}

// layer makes a block's steps; convolutions are its own.
func (p *program) layer(ctx context.Context, i int, l *layer, convolutions []wanted) error {
	r := p.r
	out := &programLayer{name: l.Name}
	main := convolutions[len(convolutions)-1]
	src, dst, values := main.at.x, main.at.y, main.s.results()
	if len(convolutions) > 1 {
		if _, err := p.convolution(ctx, out, convolutions[0]); err != nil {
			return err
		}
		if l.scale != 0 {
			out.steps = append(out.steps, func() error {
				return r.m.launch(r.precision.pick(scaleAddVector, scaleAddScalar, l.out), r.precision.span(values, l.out), r.compute, r.side, src, l.scale, values, l.out)
			})
		}
	}
	c, err := p.convolution(ctx, out, main)
	if err != nil {
		return err
	}
	out.algorithm = c.name()
	if l.SE != nil {
		height, width := main.s.out()
		out.steps = append(out.steps, p.excitation(l, dst, height*width, values)...)
	}
	flag := p.flags + devptr(4*i)
	out.check = func() error {
		return r.m.launch(r.precision.pick(checkVector, checkScalar, l.out), r.precision.span(values, l.out), r.compute, flag, dst, values)
	}
	p.layers = append(p.layers, *out)
	return nil
}

// convolution adds a convolution to a layer: by the operation that an earlier one
// of the same shape has, for other memory, if there is one.
func (p *program) convolution(ctx context.Context, l *programLayer, want wanted) (choice, error) {
	e := p.r.convolver
	key := want.key(e.precision)
	f, ok := p.first[key]
	var op operation
	var err error
	if ok {
		want.at.workspace = e.workspace
		op, err = f.op.elsewhere(want.at)
	} else if op, f.c, err = e.convolution(ctx, want); err == nil {
		f.op = op
		p.first[key] = f
	}
	if err != nil {
		return choice{}, err
	}
	p.operations = append(p.operations, op)
	l.steps = append(l.steps, op.run)
	return f.c, nil
}

// excitation is squeeze-and-excitation, with the ReLU after it.
func (p *program) excitation(l *layer, y devptr, area int, values int64) []func() error {
	r := p.r
	m, stream := r.m, r.compute
	return []func() error{
		p.pool(y, area, l.out),
		func() error {
			return m.linear(stream, p.squeezed, p.pooled, l.reduce, p.N, l.SE.Channels, l.out, activateReLU)
		},
		func() error {
			return m.linear(stream, p.gates, p.squeezed, l.expand, p.N, l.out, l.SE.Channels, activateSigmoid)
		},
		func() error {
			return m.launch(r.precision.pick(gateVector, gateScalar, l.out), r.precision.span(values, l.out), stream, y, p.gates, values, area*l.out, l.out)
		},
	}
}

// pool averages a map.
func (p *program) pool(x devptr, area, channels int) func() error {
	r := p.r
	vector := 1
	if channels%r.precision.vector() == 0 {
		vector = r.precision.vector()
	}
	return func() error {
		return r.m.launch(r.precision.pick(poolVector, poolScalar, channels), pooling(p.N, channels, vector), r.compute, p.pooled, x, area, channels)
	}
}

// head makes the last steps, from a map of h x w to the results.
func (p *program) head(h, w int) {
	r := p.r
	depth := r.plan.Depth
	x, channels := r.maps[depth%2], r.widths[depth]
	l := programLayer{name: "head", algorithm: "linear"}
	if head := r.plan.Head; head != nil {
		l.steps = []func() error{p.pool(x, h*w, channels), func() error {
			return r.m.linear(r.compute, p.results, p.pooled, r.weights.head, p.N, head.Classes, channels, activateNone)
		}}
	} else {
		l.algorithm = "copy"
		own := r.plan.Blocks[depth-1].Out
		values := int64(p.N) * int64(h) * int64(w) * int64(own)
		l.steps = []func() error{func() error {
			return r.m.launch(mapsFloat, elements(values), r.compute, p.results, x, values, h*w, own, channels)
		}}
	}
	p.layers = append(p.layers, l)
}

// issue puts all layers into the stream.
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
	return p.r.d.fill(p.flags, 0, int64(4*len(p.r.weights.layers)), p.r.compute)
}

// run puts the network into the stream: as a graph, or layer by layer with the
// time of each.
func (p *program) run() error {
	d := p.r.d
	switch {
	case p.r.trace:
		return p.traced()
	case p.exec == nil:
		return p.issue(p.r.opts.CheckLayers)
	}
	return d.check("cuGraphLaunch", C.rg_graph_launch(&d.d, p.exec, p.r.compute))
}

// traced runs layer by layer and waits for each.
func (p *program) traced() error {
	r := p.r
	if err := p.clearFlags(); err != nil {
		return err
	}
	for i := range p.layers {
		if err := r.d.record(r.convolver.start, r.compute); err != nil {
			return err
		}
		if err := p.layers[i].issue(r.opts.CheckLayers); err != nil {
			return err
		}
		if err := r.d.record(r.convolver.stop, r.compute); err != nil {
			return err
		}
		if err := r.d.reached(r.convolver.stop); err != nil {
			return err
		}
		ms, err := r.d.milliseconds(r.convolver.start, r.convolver.stop)
		if err != nil {
			return err
		}
		r.addTime(i, p.layers[i].name, p.layers[i].algorithm, ms)
	}
	return nil
}
