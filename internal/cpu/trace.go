package cpu

import (
	"repvgg/internal/engine"
	"slices"
	"time"
)

// Trace starts to measure the layers' times, or stops.
func (r *Runner) Trace(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trace = on
	for _, l := range slices.Concat(r.lanes, []*lane{r.shared}) {
		clear(l.times)
	}
}

// Layers are the times since Trace, for each layer and the head, by the clock on
// the wall: where workers took images of their own through a layer, the mean of
// theirs.
func (r *Runner) Layers() []engine.LayerTime {
	r.mu.Lock()
	defer r.mu.Unlock()
	times := make([]engine.LayerTime, len(r.layers)+1)
	for i := range times {
		t := &times[i]
		t.Name, t.Algorithm = "head", "linear"
		if i < len(r.layers) {
			t.Name, t.Algorithm = r.layers[i].Name, r.layers[i].main.Algorithm()
		}
		for _, l := range r.lanes {
			t.Time += l.times[i] / time.Duration(len(r.lanes))
		}
		t.Time += r.shared.times[i]
	}
	return times
}

// memory is that of the packed weights; and with it that of feature maps and
// scratch which runs have needed so far.
func (r *Runner) memory() (packed, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.layers {
		packed += int64(l.bytes())
	}
	if r.head != nil {
		packed += int64(r.head.Bytes())
	}
	total = packed
	for i := range r.scratch {
		total += int64(r.scratch[i].Bytes())
	}
	for _, l := range slices.Concat(r.lanes, []*lane{r.shared}) {
		total += int64(l.bytes)
	}
	return packed, total
}
