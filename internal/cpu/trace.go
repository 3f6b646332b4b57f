package cpu

import (
	"slices"
	"time"

	"repvgg/internal/engine"
)

// trace starts to measure the layers' times, or stops.
func (r *Runner) trace(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tracing = on
	for _, e := range r.allExecutors() {
		clear(e.times)
	}
}

// layerTimes are those since trace, for each layer and the head, by the clock on
// the wall: where workers took images of their own through a layer, the mean of
// theirs.
func (r *Runner) layerTimes() []engine.LayerTime {
	r.mu.Lock()
	defer r.mu.Unlock()
	times := make([]engine.LayerTime, len(r.layers)+1)
	for i := range times {
		t := &times[i]
		t.Name, t.Algorithm = "head", "linear"
		if i < len(r.layers) {
			t.Name, t.Algorithm = r.layers[i].Name, r.layers[i].main.Algorithm()
		}
		for _, e := range r.executors {
			t.Time += e.times[i] / time.Duration(len(r.executors))
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
		packed += int64(r.head.bytes())
	}
	total = packed
	for i := range r.scratch {
		total += int64(r.scratch[i].Bytes())
	}
	for _, e := range r.allExecutors() {
		total += e.bytes
	}
	return packed, total
}

func (r *Runner) allExecutors() []*executor { return append(slices.Clone(r.executors), r.shared) }
