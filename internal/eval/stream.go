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
		m, err := w.image(i)
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

// start starts the feeder and the workers.
func (s *stream) start(ctx context.Context, g *errgroup.Group) {
	size := min(max(s.opts.BatchSize, 1), len(s.samples))
	count := 2 + (2*s.opts.Workers+size-1)/size
	count = min(count, (len(s.samples)+size-1)/size)
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

// collect moves the good images of a batch to its start, and records their samples.
// The first bad image is an error, unless bad images are skipped.
func (s *stream) collect(b *batch, out *Prediction) error {
	n, good := s.imageLen(), 0
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
			out.Samples = append(out.Samples, sample)
		case s.opts.SkipBad && errors.As(err, &bad):
			out.Bad = append(out.Bad, BadImage{sample, bad.error})
		default:
			return err
		}
	}
	return nil
}
