package cpu

import "repvgg/internal/cpu/kernel"

// Activation is the output of a layer for some images, for Options.Observe. It
// holds until the call ends.
type Activation struct {
	// Layer is the index of the block in the plan, Name its name.
	Layer int
	Name  string
	// Image is the first of N images, counted from the batch's first.
	Image, N       int
	Channels, H, W int

	maps kernel.Maps
}

// Values copies the output: N, Channels, H, W. Where the next layer takes bfloat16,
// they may have been rounded to it.
func (a *Activation) Values() []float32 {
	dst := make([]float32, a.N*a.Channels*a.H*a.W)
	a.maps.Store(dst, a.N)
	return dst
}

// oneAtATime is observe for several workers.
func (r *Runner) oneAtATime(observe func(Activation)) func(Activation) {
	if observe == nil {
		return nil
	}
	return func(a Activation) {
		r.observing.Lock()
		defer r.observing.Unlock()
		observe(a)
	}
}
