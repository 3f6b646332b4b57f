package eval

import (
	"fmt"
	"strings"
	"time"
)

// Profile tells where the time of Predict went. The first four times are sums
// over all images, on several workers at once.
type Profile struct {
	Images  int // that were begun
	Workers int

	Read      time.Duration // files
	Decode    time.Duration // to 8-bit pixels
	Transform time.Duration // resizes and crops
	Normalize time.Duration // to a tensor

	// Wait is how long the network waited for images, and Run how long it ran.
	Wait, Run time.Duration
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
}

// String is a table: milliseconds for each image, one line for each stage, and
// what the network did.
func (t *Profile) String() string {
	var b strings.Builder
	each := func(d time.Duration) float64 { return d.Seconds() * 1e3 / float64(max(t.Images, 1)) }
	fmt.Fprintf(&b, "input, ms/image (%d images, %d workers)\n", t.Images, t.Workers)
	for _, s := range []struct {
		name string
		time time.Duration
	}{{"read", t.Read}, {"decode", t.Decode}, {"resize, crop", t.Transform}, {"normalize", t.Normalize},
		{"total", t.Read + t.Decode + t.Transform + t.Normalize}} {
		fmt.Fprintf(&b, "  %-13s %8.3f\n", s.name, each(s.time))
	}
	fmt.Fprintf(&b, "network: ran %.2f s, waited %.2f s for images", t.Run.Seconds(), t.Wait.Seconds())
	return b.String()
}

// profile sums the workers' times up.
func (s *stream) profile(to *Profile) {
	if to == nil {
		return
	}
	*to = Profile{Wait: s.waited, Run: s.ran, Workers: len(s.workers)}
	for _, w := range s.workers {
		to.Add(w.profile)
	}
}
