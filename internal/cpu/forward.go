package cpu

import (
	"time"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
)

// group takes one group of the batch through the network.
func (r *Runner) group(worker, item int) {
	b := &r.batch
	// An error is the context's: byGroups finds it there.
	_ = r.lanes[worker].all(b, item*b.group, min((item+1)*b.group, b.n))
}

// all computes images [first, end) of the batch, as many at once as there is
// room for.
func (l *lane) all(b *batch, first, end int) error {
	for i := first; i < end; i += l.group {
		if err := l.forward(b, i, min(l.group, end-i)); err != nil {
			return err
		}
	}
	return b.ctx.Err()
}

// forward computes n images of the batch from the given one.
func (l *lane) forward(b *batch, first, n int) error {
	in, out := len(b.src)/b.n, len(b.dst)/b.n
	step := l.single
	if l.front == 0 {
		step = n
	}
	for i := 0; i < n; i += step {
		k := min(step, n-i)
		l.load(b.src[(first+i)*in:(first+i+k)*in], k)
		maps := l.input
		for j := range l.front {
			to := l.maps[j]
			if j == l.front-1 {
				to.Data = to.Data[i*to.Len():]
			}
			if err := l.run(b, j, to, maps, k); err != nil {
				return err
			}
			maps = to
		}
	}
	maps := l.input
	if l.front > 0 {
		maps = l.maps[l.front-1]
	}
	for j := l.front; j < len(l.maps); j++ {
		if err := l.run(b, j, l.maps[j], maps, n); err != nil {
			return err
		}
		maps = l.maps[j]
	}
	start := l.start()
	l.finish(b.dst[first*out:(first+n)*out], maps, n)
	l.stop(len(l.maps), start)
	return nil
}

// run computes a layer for n images.
func (l *lane) run(b *batch, i int, dst, src kernel.Maps, n int) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	start := l.start()
	l.layer, l.dst, l.src, l.n = l.r.layers[i], dst, src, n
	shares := l.shares()
	if l.layer.bf16 && src.BF16 {
		l.narrowed = src
	} else if l.layer.bf16 {
		l.narrowed = l.narrow[i]
		l.each(n*l.narrowed.Blocks(), (*lane).round)
	}
	l.each(shares, (*lane).convolve)
	for i := range l.layer.others {
		l.branch = i
		l.each(shares, (*lane).addBranch)
	}
	if l.layer.identity != nil {
		l.each(n*dst.Blocks(), (*lane).addIdentity)
	}
	if l.layer.se != nil {
		l.each(n*dst.Blocks(), (*lane).average)
		l.each(1, (*lane).excite)
		l.each(n*dst.Blocks(), (*lane).gate)
	}
	l.stop(i, start)
	return nil
}

// relu reports whether a branch applies ReLU: the last one of a layer that has it
// and does not scale its channels first.
func (l *lane) relu(last bool) bool {
	return last && l.layer.se == nil && l.layer.Activation == model.ReLU
}

// convolve computes the main convolution: all of the deploy form, or one of the
// branches.
func (l *lane) convolve(worker, item, items int) {
	ep := kernel.Epilogue{ReLU: l.relu(len(l.layer.others) == 0 && l.layer.identity == nil)}
	src := &l.src
	if l.layer.bf16 {
		src = &l.narrowed
	}
	l.layer.main.Run(&l.dst, src, l.n, item, items, ep, &l.r.scratch[worker])
}

// round makes a block of an image bfloat16.
func (l *lane) round(_, item, _ int) {
	image, block := item/l.narrowed.Blocks(), item%l.narrowed.Blocks()
	l.r.variant.Narrow(&l.narrowed, &l.src, image, block, 0, l.src.H)
}

// addBranch adds another convolution.
func (l *lane) addBranch(worker, item, items int) {
	ep := kernel.Epilogue{Add: true, ReLU: l.relu(l.branch == len(l.layer.others)-1 && l.layer.identity == nil)}
	l.layer.others[l.branch].Run(&l.dst, &l.src, l.n, item, items, ep, &l.r.scratch[worker])
}

// addIdentity adds the identity branch, for a block of an image.
func (l *lane) addIdentity(_, item, _ int) {
	image, block := item/l.dst.Blocks(), item%l.dst.Blocks()
	id, c := l.layer.identity, block*kernel.Lanes
	for y := range l.dst.H {
		l.r.variant.AddScaled(l.dst.Row(image, block, y), l.src.Row(image, block, y), id.scale[c:], id.shift[c:], l.relu(true))
	}
}

// average pools a block of an image.
func (l *lane) average(worker, item, _ int) {
	image, block := item/l.dst.Blocks(), item%l.dst.Blocks()
	l.r.variant.GlobalAvgPool(l.cell(&l.pooled, image, block), &l.dst, image, block, &l.r.scratch[worker])
}

// cell is a block of what belongs to an image in a map of one row.
func (l *lane) cell(m *kernel.Maps, image, block int) []float32 {
	return m.Row(0, block, 0)[image*kernel.Lanes:][:kernel.Lanes]
}

// excite turns the images' means into factors for their channels.
func (l *lane) excite(worker, _, _ int) {
	se, scratch := l.layer.se, &l.r.scratch[worker]
	se.reduce.Run(&l.squeezed, &l.pooled, 1, 0, 1, kernel.Epilogue{ReLU: true}, scratch)
	se.expand.Run(&l.gates, &l.squeezed, 1, 0, 1, kernel.Epilogue{}, scratch)
	for b := range l.dst.Blocks() {
		kernel.Sigmoid(l.gates.Row(0, b, 0)[:l.n*kernel.Lanes])
	}
}

// gate scales a block of an image and applies ReLU.
func (l *lane) gate(_, item, _ int) {
	image, block := item/l.dst.Blocks(), item%l.dst.Blocks()
	scale := l.cell(&l.gates, image, block)
	for y := range l.dst.H {
		l.r.variant.Gate(l.dst.Row(image, block, y), scale)
	}
}

// load brings n images, channel by channel, into the layout of the first layer.
func (l *lane) load(src []float32, n int) {
	m, lanes := &l.input, kernel.Lanes
	if m.Planar {
		lanes = 1
	}
	size := m.H * m.W
	for i := range n {
		for c := range m.Channels {
			plane := src[(i*m.Channels+c)*size:][:size]
			for y := range m.H {
				row := m.Row(i, c/lanes, y)
				if m.Planar {
					copy(row, plane[y*m.W:])
					continue
				}
				for x, v := range plane[y*m.W:][:m.W] {
					row[x*lanes+c%lanes] = v
				}
			}
		}
	}
}

// finish turns the last feature maps into the results.
func (l *lane) finish(dst []float32, maps kernel.Maps, n int) {
	if l.r.head == nil {
		store(dst, &maps, n)
		return
	}
	l.dst, l.n = maps, n
	l.each(n*maps.Blocks(), (*lane).average)
	l.each(l.shares(), (*lane).classify)
	classes := len(dst) / n
	for i := range n {
		for c := 0; c < classes; c += kernel.Lanes {
			copy(dst[i*classes+c:(i+1)*classes], l.cell(&l.logits, i, c/kernel.Lanes))
		}
	}
}

// classify computes a share of the classes.
func (l *lane) classify(worker, item, items int) {
	l.r.head.Run(&l.logits, &l.pooled, 1, item, items, kernel.Epilogue{}, &l.r.scratch[worker])
}

// store writes maps channel by channel.
func store(dst []float32, m *kernel.Maps, n int) {
	for i := range n {
		for c := range m.Channels {
			for y := range m.H {
				row := m.Row(i, c/kernel.Lanes, y)[c%kernel.Lanes:]
				for x := range m.W {
					dst[((i*m.Channels+c)*m.H+y)*m.W+x] = row[x*kernel.Lanes]
				}
			}
		}
	}
}

func (l *lane) start() (t time.Time) {
	if l.r.trace {
		t = time.Now()
	}
	return t
}

func (l *lane) stop(layer int, start time.Time) {
	if l.r.trace {
		l.times[layer] += time.Since(start)
	}
}
