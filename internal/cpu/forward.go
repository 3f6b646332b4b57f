package cpu

import (
	"context"

	"repvgg/internal/cpu/kernel"
)

// pass is what the workers need to know of the pass that runs: one step of one
// layer for a group of images.
type pass struct {
	layer *layer
	// src is n images of the layer's input h x w, dst of its output.
	src, dst []float32
	n, h, w  int
	pixels   int // of the output
	// How an image's work is divided.
	tiles, splits int
}

// channelChunk and classChunk are the units in which work is divided by
// channels and classes where that is free.
const (
	channelChunk = 32
	classChunk   = 64
)

// forward runs a group of images that fits into memory.
func (r *Runner) forward(ctx context.Context, dst, src []float32, n, h, w int) error {
	defer func() { r.pass = pass{} }() // lets go of the caller's memory
	for i, l := range r.layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		oh, ow := l.OutSize(h), l.OutSize(w)
		out := dst
		if r.head != nil || i < len(r.layers)-1 {
			out = r.memory.arenas[i%2][:n*l.Out*oh*ow]
		}
		r.pass = pass{layer: l, src: src, dst: out, n: n, h: h, w: w, pixels: oh * ow}
		r.divide()
		r.pool.run(n*r.pass.tiles*r.pass.splits, r.convolve)
		if l.se != nil {
			r.pool.run(n*chunks(l.Out, channelChunk), r.average)
			r.pool.run(n, r.excite)
			r.pool.run(n*chunks(l.Out, channelChunk), r.gate)
		}
		src, h, w = out, oh, ow
	}
	if r.head == nil {
		return nil
	}
	last := r.layers[len(r.layers)-1]
	r.pool.run(n*chunks(last.Out, channelChunk), r.average)
	r.pass.dst = dst
	r.pool.run(chunks(len(r.head.bias), classChunk), r.classify)
	return ctx.Err()
}

// divide chooses the items of a convolution: tiles of pixels, and as many
// ranges of channels as it takes to give each thread a few.
func (r *Runner) divide() {
	p := &r.pass
	conv := p.layer.conv3x3
	p.tiles = chunks(p.pixels, conv.TilePixels(p.h, p.w))
	want := chunks(4*r.pool.threads(), p.n*p.tiles)
	// A range of few panels would gather its patches for little work.
	p.splits = max(1, min(want, conv.Panels()/4))
}

// convolveItem computes a part of a layer's output up to squeeze-and-excitation,
// if it has that, or else to the end: the sum of the branches and ReLU.
func (r *Runner) convolveItem(worker, item int) {
	p, l := &r.pass, r.pass.layer
	image, tile, split := item/p.splits/p.tiles, item/p.splits%p.tiles, item%p.splits
	src := p.src[image*l.In*p.h*p.w:][:l.In*p.h*p.w]
	dst := p.dst[image*l.Out*p.pixels:][:l.Out*p.pixels]
	size, panels := l.conv3x3.TilePixels(p.h, p.w), l.conv3x3.Panels()
	part := kernel.Part{
		Pixel0: tile * size, Pixel1: min((tile+1)*size, p.pixels),
		Panel0: panels * split / p.splits, Panel1: panels * (split + 1) / p.splits,
	}
	relu := l.se == nil
	scratch := &r.scratch[worker]
	l.conv3x3.Run(dst, src, p.h, p.w, part, kernel.Epilogue{ReLU: relu && l.conv1x1 == nil}, scratch)
	if l.conv1x1 != nil {
		l.conv1x1.Run(dst, src, p.h, p.w, part, kernel.Epilogue{Add: dst, ReLU: relu && l.identity == nil}, scratch)
	}
	if l.identity != nil {
		from, to := l.conv3x3.Channels(part.Panel0, part.Panel1)
		for c := from; c < to; c++ {
			at := c * p.pixels
			r.variant.ScaleShiftAdd(dst[at+part.Pixel0:at+part.Pixel1], src[at+part.Pixel0:at+part.Pixel1],
				l.identity.scale[c], l.identity.shift[c], relu)
		}
	}
}

// poolItem averages a chunk of an image's channels.
func (r *Runner) poolItem(_, item int) {
	p, channels := &r.pass, r.pass.layer.Out
	image, from, to := chunkOf(item, channels, channelChunk)
	at := image * channels
	kernel.GlobalAvgPool(r.memory.pooled[at+from:at+to], p.dst[(at+from)*p.pixels:(at+to)*p.pixels])
}

// exciteItem turns an image's means into the factors of its channels.
func (r *Runner) exciteItem(_, image int) {
	l := r.pass.layer
	pooled, gates := r.memory.pooled[image*l.Out:][:l.Out], r.memory.gates[image*l.Out:][:l.Out]
	squeezed := r.memory.squeezed[image*l.Squeeze:][:l.Squeeze]
	r.variant.Linear(squeezed, pooled, l.se.reduce.weight, l.se.reduce.bias)
	kernel.ReLU(squeezed)
	r.variant.Linear(gates, squeezed, l.se.expand.weight, l.se.expand.bias)
	kernel.Sigmoid(gates)
}

// gateItem scales a chunk of an image's channels and applies ReLU.
func (r *Runner) gateItem(_, item int) {
	p, channels := &r.pass, r.pass.layer.Out
	image, from, to := chunkOf(item, channels, channelChunk)
	for c := image*channels + from; c < image*channels+to; c++ {
		r.variant.ScaleReLU(p.dst[c*p.pixels:(c+1)*p.pixels], r.memory.gates[c])
	}
}

// classifyItem computes a chunk of the classes for all images: the weights are
// read once.
func (r *Runner) classifyItem(_, item int) {
	classes, features := len(r.head.bias), r.pass.layer.Out
	from := item * classChunk
	to := min(from+classChunk, classes)
	for image := range r.pass.n {
		r.variant.Linear(r.pass.dst[image*classes+from:image*classes+to], r.memory.pooled[image*features:][:features],
			r.head.weight[from*features:to*features], r.head.bias[from:to])
	}
}

func chunks(n, size int) int { return (n + size - 1) / size }

// chunkOf is the image and the range of channels of an item.
func chunkOf(item, channels, size int) (image, from, to int) {
	per := chunks(channels, size)
	from = item % per * size
	return item / per, from, min(from+size, channels)
}
