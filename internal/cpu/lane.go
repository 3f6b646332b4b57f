package cpu

import (
	"fmt"
	"time"

	"repvgg/internal/cpu/kernel"
)

// laneBytes is what a lane's feature maps may take before it computes fewer
// images at once: about what they take of a large processor's last-level cache.
const laneBytes = 48 << 20

// fewPixels is the size of map from which on a group's images are computed
// together: smaller maps have too few tiles for the weights that they need.
const fewPixels = 400

// lane takes images through the network: as one worker, or as all of them.
type lane struct {
	r      *Runner
	worker int // -1: all together

	// What the buffers are for.
	h, w, group, single int
	// asked is the group that was asked for: there may be no room for it.
	asked int
	// front is the number of layers that are run for single images at a time,
	// the rest for group.
	front int
	// input is the images, maps the outputs of the layers.
	input kernel.Maps
	maps  []kernel.Maps
	// narrow is the input of a layer in bfloat16.
	narrow []kernel.Maps
	// For each image: the means of a map's channels, what squeeze-and-excitation
	// makes of them, and logits.
	pooled, squeezed, gates, logits kernel.Maps

	// The layer that is being computed, for n images.
	layer    *layer
	branch   int // of its others
	src, dst kernel.Maps
	narrowed kernel.Maps // of src, if the layer takes bfloat16
	n        int
	task     func(l *lane, worker, item, items int)
	doShared func(worker, item int)
	items    int

	bytes int             // of the buffers
	times []time.Duration // by layer, for Runner.Layers
}

func newLane(r *Runner, worker int) *lane {
	l := &lane{r: r, worker: worker, times: make([]time.Duration, len(r.layers)+1)}
	l.doShared = func(worker, item int) { l.task(l, worker, item, l.items) }
	return l
}

// each runs task for the items, on this lane's worker or on all.
func (l *lane) each(items int, task func(l *lane, worker, item, items int)) {
	if l.worker >= 0 {
		for i := range items {
			task(l, l.worker, i, items)
		}
		return
	}
	l.task, l.items = task, items
	l.r.pool.run(items, l.doShared)
}

// shares is how many items a layer's work is divided into.
func (l *lane) shares() int {
	if l.worker >= 0 {
		return 1
	}
	return l.r.pool.threads()
}

// prepare makes room for groups of images of h x w, of which the first layers
// take single at a time, or for fewer if there is no room; limit is what there
// is at most, in bytes.
func (l *lane) prepare(h, w, group, single int, limit int64) error {
	if l.h == h && l.w == w && l.asked >= group && l.single >= min(single, l.group) {
		return nil
	}
	l.h, l.w, l.asked = h, w, group
	l.group, l.single = group, single
	n := int64(l.reserve(false))
	for n > min(laneBytes, limit) && l.group > 1 {
		l.group = ceilDiv(l.group, 2)
		l.single = min(l.single, l.group)
		n = int64(l.reserve(false))
	}
	if n > limit {
		l.asked = 0 // nothing is prepared
		return fmt.Errorf("running the network: images of %dx%d need %d MB for their feature maps, of %d MB there may be; use smaller images or fewer threads", h, w, n/1e6, limit/1e6)
	}
	l.bytes = l.reserve(true)
	return nil
}

// reserve lays out the buffers, and makes them if asked to. It returns their
// size in bytes.
func (l *lane) reserve(allocate bool) int {
	layers := l.r.layers
	b := &buffers{allocate: allocate, made: map[bufferKey]kernel.Maps{}}
	l.front = l.r.largeMaps(l.h, l.w)
	in := l.single
	if l.front == 0 {
		in = l.group
	}
	l.input = b.get(bufferKey{layers[0].input(l.h, l.w), in, odd})
	l.maps, l.narrow = make([]kernel.Maps, len(layers)), make([]kernel.Maps, len(layers))
	h, w := l.h, l.w
	channels, squeeze := 0, 1
	var last bufferKey
	for i, layer := range layers {
		if layer.bf16 && (i == 0 || !l.maps[i-1].BF16) {
			layout := layer.input(h, w)
			layout.BF16 = true
			l.narrow[i] = b.get(bufferKey{layout, l.images(i), narrowed})
		}
		h, w = layer.OutSize(h, w)
		layout, n := kernel.Layout{Channels: layer.Out, H: h, W: w}, l.group
		if i+1 < len(layers) {
			layout, n = layers[i+1].input(h, w), l.images(i+1)
			layout.BF16 = layer.rounds && layers[i+1].bf16
		}
		// Maps that follow one another must not share a buffer.
		k := bufferKey{layout, n, even}
		if k == last {
			k.role = odd
		}
		l.maps[i], last = b.get(k), k
		channels = max(channels, layer.Out)
		if layer.SE != nil {
			squeeze = max(squeeze, layer.SE.Channels)
		}
	}
	row := func(channels int) kernel.Maps {
		return b.make(kernel.Layout{Channels: channels, H: 1, W: l.group}, 1)
	}
	l.pooled, l.squeezed, l.gates = row(channels), row(squeeze), row(channels)
	if l.r.head != nil {
		l.logits = row(l.r.head.Out)
	}
	return b.bytes
}

// images is how many a layer is run for at once. The input of the first one that
// is run for the group gathers what those before it give for single images.
func (l *lane) images(layer int) int {
	if layer < l.front {
		return l.single
	}
	return l.group
}

// largeMaps is the number of layers, from the first on, whose outputs for images
// of h x w have more than fewPixels.
func (r *Runner) largeMaps(h, w int) int {
	for i, l := range r.layers {
		h, w = l.OutSize(h, w)
		if h*w <= fewPixels {
			return i
		}
	}
	return len(r.layers)
}

// buffers are feature maps, one for each key.
type buffers struct {
	allocate bool
	made     map[bufferKey]kernel.Maps
	bytes    int
}

// bufferKey tells maps apart that may share a buffer from those that may not.
// Maps of one layout have their borders in the same places: they stay zero.
type bufferKey struct {
	layout kernel.Layout
	images int
	role   role
}

// role is what a map is for.
type role uint8

const (
	even     role = iota // an output
	odd                  // the output after an even one
	narrowed             // a copy in bfloat16
)

func (b *buffers) get(k bufferKey) kernel.Maps {
	if _, ok := b.made[k]; !ok {
		b.made[k] = b.make(k.layout, k.images)
	}
	return b.made[k]
}

// make counts the bytes of maps, and allocates them if asked to.
func (b *buffers) make(layout kernel.Layout, n int) kernel.Maps {
	b.bytes += n * layout.Len() * 4
	m := kernel.Maps{Layout: layout}
	if b.allocate {
		m.Data = kernel.AlignedFloats(n * layout.Len())
	}
	return m
}

// checkSize refuses images whose feature maps would not fit into memory.
func (r *Runner) checkSize(h, w int) error {
	for _, l := range r.layers {
		in := l.input(h, w)
		// In float64 because the product may overflow.
		bytes := float64(ceilDiv(l.In, kernel.Lanes)*kernel.Lanes) * 4 * float64(in.Top+h+in.Bottom) * float64(in.Left+w+in.Right)
		if bytes > float64(r.limit) {
			return fmt.Errorf("running the network: block %q would take a feature map of %dx%dx%d, %.0f MB with its border; use smaller images", l.Name, l.In, h, w, bytes/1e6)
		}
		h, w = l.OutSize(h, w)
	}
	return nil
}
