package cpu

import (
	"slices"
	"time"
)

// LayerTime is what a layer took in all runs since Trace.
type LayerTime struct {
	Name      string // the block's; "head" for pooling and classifying
	Algorithm string // of its 3x3 convolution
	// Time is of the wall: where workers took images of their own through the
	// layer, the mean of theirs.
	Time time.Duration
}

// Trace starts to measure the layers' times, or stops.
func (r *Runner) Trace(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trace = on
	for _, l := range slices.Concat(r.lanes, []*lane{r.shared}) {
		clear(l.times)
	}
}

// Layers are the times since Trace, for each layer and the head.
func (r *Runner) Layers() []LayerTime {
	r.mu.Lock()
	defer r.mu.Unlock()
	times := make([]LayerTime, len(r.layers)+1)
	for i := range times {
		t := &times[i]
		t.Name = "head"
		if i < len(r.layers) {
			t.Name, t.Algorithm = r.layers[i].Name, r.layers[i].conv3x3.Algorithm()
		}
		for _, l := range r.lanes {
			t.Time += l.times[i] / time.Duration(len(r.lanes))
		}
		t.Time += r.shared.times[i]
	}
	return times
}

// PackedBytes is the memory of the packed weights.
func (r *Runner) PackedBytes() int64 {
	total := 0
	for _, l := range r.layers {
		total += l.bytes()
	}
	if r.head != nil {
		total += r.head.Bytes()
	}
	return int64(total)
}

// Bytes is the memory of feature maps and scratch, which runs have needed so
// far beyond the packed weights.
func (r *Runner) Bytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	total := 0
	for i := range r.scratch {
		total += r.scratch[i].Bytes()
	}
	for _, l := range slices.Concat(r.lanes, []*lane{r.shared}) {
		total += l.bytes
	}
	return int64(total)
}
