package eval

import (
	"fmt"
	"strings"
	"time"
)

// Profile tells where the time of Predict went. The times of the input are sums
// over all images, on several workers at once.
type Profile struct {
	Images  int // that were begun
	Workers int

	Read      time.Duration // files
	Decode    time.Duration // to 8-bit pixels
	Transform time.Duration // resizes and crops
	Normalize time.Duration // to a tensor; for a runner of bytes, into a batch

	// Wait is how long the network waited for images, Run how long it was waited
	// for, and Total what there was from the first image to the last score.
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

// String is a table: milliseconds for each image, one line for each stage, what
// the network did, and which of the two the other waited for.
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

// stage is a part of the input.
type stage struct {
	name string
	time time.Duration
}

// profile sums the workers' times up.
func (s *stream) profile(to *Profile, total time.Duration) {
	if to == nil {
		return
	}
	*to = Profile{Wait: s.waited, Run: s.ran, Total: total, Workers: len(s.workers)}
	for _, w := range s.workers {
		to.Add(w.profile)
	}
}
