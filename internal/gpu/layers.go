//go:build cgo && unix

package gpu

import (
	"context"

	"repvgg/internal/gpu/cuda"
)

// convolutions are those of each block. In the train form a block's main
// convolution comes last and adds the result of the other one. h and w are the size
// of the last map.
func (p *program) convolutions() (blocks [][]convolution, h, w int) {
	r := p.r
	h, w = p.H, p.W
	for i, l := range r.weights.layers {
		src, dst := r.maps[i%2], r.maps[(i+1)%2]
		if i == 0 {
			src = r.images
		}
		main := convolution{
			shapeOf(l.main.shape, p.N, h, w, l.in, l.out), epilogue{Bias: true, ReLU: l.SE == nil},
			operands{x: src, w: l.main.weight, bias: l.main.bias, narrowBias: l.main.narrowBias, y: dst},
		}
		var own []convolution
		if l.side.weight != 0 {
			own = append(own, convolution{
				shapeOf(l.side.shape, p.N, h, w, l.in, l.out), epilogue{Bias: true},
				operands{x: src, w: l.side.weight, bias: l.side.bias, narrowBias: l.side.narrowBias, y: r.side},
			})
			main.at.side, main.epilogue.Add = r.side, true
		}
		blocks = append(blocks, append(own, main))
		h, w = l.OutSize(h, w)
	}
	return blocks, h, w
}

// layer makes the steps of a block from its convolutions.
func (p *program) layer(ctx context.Context, i int, l *layer, convolutions []convolution) error {
	r := p.r
	out := &programLayer{name: l.Name}
	main := convolutions[len(convolutions)-1]
	src, dst, values := main.at.x, main.at.y, main.shape.Results()
	if len(convolutions) > 1 {
		if _, err := p.convolution(ctx, out, convolutions[0]); err != nil {
			return err
		}
		if l.scale != 0 {
			out.steps = append(out.steps, func() error {
				return r.m.launch(r.compute, r.precision.pick(scaleAddVector, scaleAddScalar, l.out), r.precision.span(values, l.out), r.side, src, l.scale, values, l.out)
			})
		}
	}
	by, err := p.convolution(ctx, out, main)
	if err != nil {
		return err
	}
	out.algorithm = by.name()
	if l.SE != nil {
		height, width := main.shape.Out()
		out.steps = append(out.steps, p.excitation(l, dst, height*width, values)...)
	}
	flag := p.flags + cuda.Ptr(4*i)
	out.check = func() error {
		return r.m.launch(r.compute, r.precision.pick(checkVector, checkScalar, l.out), r.precision.span(values, l.out), flag, dst, values)
	}
	p.layers = append(p.layers, *out)
	return nil
}

// convolution adds a convolution to a layer. If an earlier one has the same shape,
// its operation is rebound.
func (p *program) convolution(ctx context.Context, l *programLayer, c convolution) (choice, error) {
	v := p.r.convolver
	key := c.key(v.precision)
	f, ok := p.first[key]
	var op operation
	var err error
	if ok {
		c.at.workspace = v.workspace
		op, err = f.op.rebind(c.at)
	} else if op, f.by, err = v.operation(ctx, c); err == nil {
		f.op = op
		p.first[key] = f
	}
	if err != nil {
		return choice{}, err
	}
	p.operations = append(p.operations, op)
	l.steps = append(l.steps, op.run)
	return f.by, nil
}

// excitation is squeeze-and-excitation of a map y, with the ReLU after it.
func (p *program) excitation(l *layer, y cuda.Ptr, area int, values int64) []func() error {
	r := p.r
	return []func() error{
		p.pool(y, area, l.out),
		func() error {
			return r.m.linear(r.compute, p.squeezed, p.pooled, l.reduce, p.N, l.SE.Channels, l.out, activateReLU)
		},
		func() error {
			return r.m.linear(r.compute, p.gates, p.squeezed, l.expand, p.N, l.out, l.SE.Channels, activateSigmoid)
		},
		func() error {
			return r.m.launch(r.compute, r.precision.pick(gateVector, gateScalar, l.out), r.precision.span(values, l.out), y, p.gates, values, area*l.out, l.out)
		},
	}
}

// pool averages a map of area pixels over them.
func (p *program) pool(x cuda.Ptr, area, channels int) func() error {
	r := p.r
	vector := 1
	if channels%r.precision.vector() == 0 {
		vector = r.precision.vector()
	}
	return func() error {
		return r.m.launch(r.compute, r.precision.pick(poolVector, poolScalar, channels), pooling(p.N, channels, vector), p.pooled, x, area, channels)
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
			return r.m.launch(r.compute, mapsFloat, elements(values), p.results, x, values, h*w, own, channels)
		}}
	}
	p.layers = append(p.layers, l)
}
