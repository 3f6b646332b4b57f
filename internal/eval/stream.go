package eval

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"repvgg/internal/dataset"
	"repvgg/internal/preprocess"
)

// stream delivers the images of all samples in batches. All images have the same
// size.
type stream struct {
	pipeline                *preprocess.Pipeline
	samples                 []dataset.Sample
	opts                    Options
	channels, height, width int
	// startBytes is the runner's StartBytes, or nil for float input.
	startBytes func(ctx context.Context, dst []float32, src []byte, n, h, w int) (wait func() error, err error)

	free    chan *batch // batches that may be reused
	order   chan *batch // batches handed out to workers, in the order of the samples
	workers []*worker

	waited, ran time.Duration // of the network, if profiled
}

// batch holds the images of n samples, starting with sample number first.
type batch struct {
	first, n int
	images   []float32 // normalised, in N, C, H, W order; or
	pixels   []byte    // bytes, in N, H, W, C order
	errs     []error   // one per sample; nil for a good one
	pending  atomic.Int32
	done     chan struct{} // gets a value when no image is pending
}

// job is the slot of one image.
type job struct {
	batch *batch
	slot  int
}

// raw reports whether the network takes bytes.
func (s *stream) raw() bool { return s.startBytes != nil }

func (s *stream) imageLen() int { return s.channels * s.height * s.width }

// findSize finds the size of the images after the pipeline. If the pipeline does
// not fix it, it is the size of the first good image.
func (s *stream) findSize(ctx context.Context) error {
	var ok bool
	if s.height, s.width, ok = s.pipeline.OutputSize(); ok {
		return nil
	}
	w := newWorker(s)
	var first error
	for i := range s.samples {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := w.image(ctx, i)
		if err == nil {
			s.height, s.width = m.Height, m.Width
			return nil
		}
		if first == nil {
			first = err
		}
		if !s.opts.SkipBad {
			return first
		}
	}
	return fmt.Errorf("none of the %d images can be used; the first: %w", len(s.samples), first)
}

// batches are how many samples a batch has, and how many batches there are at a time.
func (s *stream) batches() (size, count int) {
	size = min(max(s.opts.BatchSize, 1), len(s.samples))
	count = 2 + (2*s.opts.Workers+size-1)/size
	return size, min(count, (len(s.samples)+size-1)/size)
}

// checkMemory reports images that would take more memory than they may.
func (s *stream) checkMemory() error {
	size, count := s.batches()
	bytes := 4.0
	if s.raw() {
		bytes = 1
	}
	bytes *= float64(s.channels) * float64(s.height) * float64(s.width)
	if all := bytes * float64(size) * float64(count); s.opts.Memory > 0 && all > float64(s.opts.Memory) {
		return fmt.Errorf("a batch of %d images of %d x %d takes %.0f MB, and with those that are read ahead %.0f MB, more than the %.0f MB that are there for images: use a smaller batch or smaller images",
			size, s.height, s.width, bytes*float64(size)/1e6, all/1e6, float64(s.opts.Memory)/1e6)
	}
	scores := 4 * float64(len(s.samples)) * float64(s.opts.Classes)
	if s.opts.Each == nil && s.opts.Memory > 0 && scores > float64(s.opts.Memory) {
		return fmt.Errorf("the scores of %d images and %d classes take %.0f MB, more than the %.0f MB that are there for them: test fewer images at a time",
			len(s.samples), s.opts.Classes, scores/1e6, float64(s.opts.Memory)/1e6)
	}
	return nil
}

// start lets the feeder and the workers run.
func (s *stream) start(ctx context.Context, g *errgroup.Group) {
	size, count := s.batches()
	s.free, s.order = make(chan *batch, count), make(chan *batch, count)
	for range count {
		b := &batch{errs: make([]error, size), done: make(chan struct{}, 1)}
		if s.raw() {
			b.pixels = make([]byte, size*s.imageLen())
		} else {
			b.images = make([]float32, size*s.imageLen())
		}
		s.free <- b
	}
	jobs := make(chan job, s.opts.Workers)
	g.Go(func() error {
		defer close(jobs)
		defer close(s.order)
		return s.feed(ctx, size, jobs)
	})
	for range s.opts.Workers {
		w := newWorker(s)
		s.workers = append(s.workers, w)
		g.Go(func() error { return w.run(ctx, jobs) })
	}
}

// feed assigns the samples to slots in order.
func (s *stream) feed(ctx context.Context, size int, jobs chan<- job) error {
	for first := 0; first < len(s.samples); first += size {
		var b *batch
		select {
		case b = <-s.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		b.first, b.n = first, min(size, len(s.samples)-first)
		clear(b.errs)
		b.pending.Store(int32(b.n))
		s.order <- b // does not block: it has room for all batches
		for slot := range b.n {
			select {
			case jobs <- job{b, slot}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// next waits until the next batch is complete, and returns it. It returns nil after
// the last one.
func (s *stream) next(ctx context.Context) (*batch, error) {
	var b *batch
	select {
	case b = <-s.order:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b == nil {
		return nil, ctx.Err()
	}
	select {
	case <-b.done:
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// collect moves the good images of a batch together, counts them and lists which
// they are. The first bad one is the error, unless bad ones are to be skipped.
func (s *stream) collect(b *batch, out *Prediction) (good int, err error) {
	n := s.imageLen()
	for slot, err := range b.errs[:b.n] {
		sample := b.first + slot
		var bad badImage
		switch {
		case err == nil:
			switch {
			case good == slot:
			case s.raw():
				copy(b.pixels[good*n:(good+1)*n], b.pixels[slot*n:])
			default:
				copy(b.images[good*n:(good+1)*n], b.images[slot*n:])
			}
			good++
			if s.opts.Each == nil {
				out.Samples = append(out.Samples, sample)
			}
		case s.opts.Each != nil && errors.As(err, &bad):
			b.errs[slot] = bad.error
		case s.opts.SkipBad && errors.As(err, &bad):
			out.Bad = append(out.Bad, BadImage{sample, bad.error})
		default:
			return 0, err
		}
	}
	return good, nil
}
