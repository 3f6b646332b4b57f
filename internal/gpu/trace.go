//go:build cgo && unix

package gpu

import (
	"time"

	"repvgg/internal/engine"
)

// Trace turns measuring of single layers on or off. While it is on, the host waits
// for each layer, so that the sum of their times is more than a run takes.
func (r *Runner) Trace(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trace, r.times = on, nil
}

// Layers are the times since Trace of each block and of the head.
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

// memory is how many bytes r holds on the device: packed are the weights; total
// includes maps, workspace and images.
func (r *Runner) memory() (packed, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.weights.all {
		packed += r.d.Size(*p)
	}
	return packed, r.d.Allocated()
}
