package cpu

import (
	"fmt"

	"repvgg/internal/cpu/kernel"
)

// fewPixels is the size of map from which on a group's images are computed
// together: smaller maps have too few tiles for the weights that they need.
const fewPixels = 400

// buffers are the feature maps of an executor, for images of one size.
type buffers struct {
	h, w int
	// group is how many images are taken through the network at once. The first
	// layers, front of them, take single at a time.
	group, single, front int
	// input is the images, outputs those of the layers.
	input   kernel.Maps
	outputs []kernel.Maps
	// rounded is a layer's input in its main convolution's element type, where that
	// is another than the input's.
	rounded []kernel.Maps
	// Maps of one row, of which each image is a pixel: the means of a map's channels,
	// what squeeze-and-excitation makes of them in between and in the end, and logits.
	means, squeezed, gates, logits kernel.Maps

	bytes int64
}

// buffers lays them out, and allocates them if asked to.
func (r *Runner) buffers(h, w, group, single int, allocate bool) buffers {
	b := buffers{h: h, w: w, group: group, single: single, front: r.largeMaps(h, w)}
	a := arena{allocate: allocate, made: map[mapsKey]kernel.Maps{}}
	n := b.single
	if b.front == 0 {
		n = b.group
	}
	b.input = a.get(mapsKey{r.layers[0].input(h, w), n, odd})
	b.outputs, b.rounded = make([]kernel.Maps, len(r.layers)), make([]kernel.Maps, len(r.layers))
	src := b.input.Layout
	channels, squeezed := 0, 1
	var last mapsKey
	for i, l := range r.layers {
		if l.in.Elem != src.Elem {
			layout := l.input(h, w)
			layout.Elem = l.in.Elem
			b.rounded[i] = a.get(mapsKey{layout, b.images(i), rounded})
		}
		h, w = l.OutSize(h, w)
		k := mapsKey{kernel.Layout{Channels: l.Out, H: h, W: w}, b.group, even}
		if i+1 < len(r.layers) {
			next := r.layers[i+1]
			k.layout, k.images = next.input(h, w), b.images(i+1)
			k.layout.Elem = l.output(next)
		}
		// Maps that follow one another must not share a buffer.
		if k == last {
			k.role = odd
		}
		b.outputs[i], last, src = a.get(k), k, k.layout
		channels = max(channels, l.Out)
		if l.SE != nil {
			squeezed = max(squeezed, l.SE.Channels)
		}
	}
	row := func(channels int) kernel.Maps {
		return a.make(kernel.Layout{Channels: channels, H: 1, W: b.group}, 1)
	}
	b.means, b.squeezed, b.gates = row(channels), row(squeezed), row(channels)
	if r.head != nil {
		b.logits = row(r.plan.Head.Classes)
	}
	b.bytes = a.bytes
	return b
}

// images is how many a layer is run for at once. The input of the first one that
// is run for the group gathers what those before it give for single images.
func (b *buffers) images(layer int) int {
	if layer < b.front {
		return b.single
	}
	return b.group
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

// arena has feature maps, one for each key, or counts what they would take.
type arena struct {
	allocate bool
	made     map[mapsKey]kernel.Maps
	bytes    int64
}

// mapsKey tells maps apart that may share memory from those that may not. Maps of
// one layout have their halos in the same places: they stay zero.
type mapsKey struct {
	layout kernel.Layout
	images int
	role   role
}

// role is what a map is for.
type role uint8

const (
	even    role = iota // an output
	odd                 // the output after an even one
	rounded             // a copy in another element type
)

func (a *arena) get(k mapsKey) kernel.Maps {
	if _, ok := a.made[k]; !ok {
		a.made[k] = a.make(k.layout, k.images)
	}
	return a.made[k]
}

func (a *arena) make(layout kernel.Layout, n int) kernel.Maps {
	a.bytes += int64(n * layout.Bytes())
	if !a.allocate {
		return kernel.Maps{Layout: layout}
	}
	return kernel.NewMaps(layout, n)
}

// checkSize refuses images whose feature maps would not fit into memory.
func (r *Runner) checkSize(h, w int) error {
	for _, l := range r.layers {
		in := l.input(h, w)
		// In float64 because the product may overflow.
		bytes := float64(ceilDiv(l.In, kernel.Lanes)*kernel.Lanes) * 4 * float64(in.Top+h+in.Bottom) * float64(in.Left+w+in.Right)
		if bytes > float64(r.limit) {
			return fmt.Errorf("running the network: block %q would take a feature map of %dx%dx%d, %.0f MB with its halo; use smaller images", l.Name, l.In, h, w, bytes/1e6)
		}
		h, w = l.OutSize(h, w)
	}
	return nil
}
