package eval

import (
	"fmt"
	"strings"
	"time"
)

// Profile says where the time of Predict went. The times of the input's stages are
// sums over all images and all workers.
type Profile struct {
	Images  int // number of images that were started
	Workers int

	Read      time.Duration // files
	Decode    time.Duration // to 8-bit pixels
	Transform time.Duration // resizes and crops
	Normalize time.Duration // to a tensor; with byte input, to a batch

	// Wait is how long the network waited for images. Run is how long it took to run.
	// Total is the time from the first image to the last score.
	Wait, Run, Total time.Duration
}

// Add adds the counts and times of p.
func (t *Profile) Add(p Profile) {
	t.Images += p.Images
	t.Workers += p.Workers
	t.Read += p.Read
	t.Decode += p.Decode
	t.Transform += p.Transform
	t.Normalize += p.Normalize
	t.Wait += p.Wait
	t.Run += p.Run
	t.Total += p.Total
}

// String returns a table of milliseconds per image for each stage, the times of the
// network, and which of the two limited the speed.
func (t *Profile) String() string {
	var b strings.Builder
	each := func(d time.Duration) float64 { return d.Seconds() * 1e3 / float64(max(t.Images, 1)) }
	fmt.Fprintf(&b, "input, ms/image (%d images, %d workers)\n", t.Images, t.Workers)
	stages := []stage{{"read", t.Read}, {"decode", t.Decode}, {"resize, crop", t.Transform}, {"normalize", t.Normalize}}
	longest, sum := stages[0], time.Duration(0)
	for _, s := range stages {
		fmt.Fprintf(&b, "  %-13s %8.3f\n", s.name, each(s.time))
		if sum += s.time; s.time > longest.time {
			longest = s
		}
	}
	fmt.Fprintf(&b, "  %-13s %8.3f\n", "total", each(sum))
	fmt.Fprintf(&b, "network: ran %.2f s, waited %.2f s for images\n", t.Run.Seconds(), t.Wait.Seconds())
	bound := "the network"
	if t.Wait > t.Run {
		bound = "the input, most of it " + longest.name
	}
	fmt.Fprintf(&b, "%.1f images/s, bound by %s", float64(t.Images)/max(t.Total.Seconds(), 1e-9), bound)
	return b.String()
}

// stage is a step of the input.
type stage struct {
	name string
	time time.Duration
}

// profile adds up the workers' times.
func (s *stream) profile(to *Profile, total time.Duration) {
	if to == nil {
		return
	}
	*to = Profile{Wait: s.waited, Run: s.ran, Total: total, Workers: len(s.workers)}
	for _, w := range s.workers {
		to.Add(w.profile)
	}
}
