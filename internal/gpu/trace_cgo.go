//go:build cgo && unix

package gpu

import (
	"repvgg/internal/engine"
	"time"
)

// Trace starts to measure the layers' times, or stops. While it is on, the host
// waits for each layer, so that the sum is more than a run takes.
func (r *Runner) Trace(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trace, r.times = on, nil
}

// Layers are the times since Trace, for each layer and the head.
func (r *Runner) Layers() []engine.LayerTime {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]engine.LayerTime(nil), r.times...)
}

func (r *Runner) addTime(layer int, name, algorithm string, ms float64) {
	for len(r.times) <= layer {
		r.times = append(r.times, engine.LayerTime{})
	}
	t := &r.times[layer]
	t.Name, t.Algorithm = name, algorithm
	t.Time += time.Duration(ms * float64(time.Millisecond))
}

// memory is what r holds on the device: the weights, and with them maps, workspace
// and images.
func (r *Runner) memory() (packed, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.weights.all {
		packed += r.d.held[*p]
	}
	return packed, r.d.bytes()
}
