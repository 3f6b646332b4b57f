//go:build cgo && unix

package gpu

import "time"

// Trace starts to measure the layers' times, or stops. While it is on, the host
// waits for each layer, so that the sum is more than a run takes.
func (r *Runner) Trace(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trace, r.times = on, nil
}

// Layers are the times since Trace, for each layer and the head.
func (r *Runner) Layers() []LayerTime {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]LayerTime(nil), r.times...)
}

func (r *Runner) addTime(layer int, name, algorithm string, ms float64) {
	for len(r.times) <= layer {
		r.times = append(r.times, LayerTime{})
	}
	t := &r.times[layer]
	t.Name, t.Algorithm = name, algorithm
	t.Time += time.Duration(ms * float64(time.Millisecond))
}

// Bytes is the device memory that r holds: weights, maps, workspace, images.
func (r *Runner) Bytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.d.bytes()
}

// PackedBytes is the weights' part of Bytes.
func (r *Runner) PackedBytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	total := int64(0)
	for _, p := range r.weights.all {
		total += r.d.held[*p]
	}
	return total
}
