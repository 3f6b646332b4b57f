package eval

import (
	"context"
	"fmt"
	"time"

	"repvgg/internal/dataset"
	"repvgg/internal/infile"
	"repvgg/internal/preprocess"
)

const (
	// maxFile bounds the size of an image file.
	maxFile = 1 << 30
	// maxKept bounds the file buffer that a worker keeps between images.
	maxKept = 32 << 20
)

// badImage is an error that is caused by the image.
type badImage struct{ error }

func (e badImage) Unwrap() error { return e.error }

// worker reads and transforms one image at a time, and reuses its memory.
type worker struct {
	stream   *stream
	images   *preprocess.Worker
	file     []byte
	profile  Profile
	profiled bool
}

func newWorker(s *stream) *worker {
	return &worker{stream: s, images: s.pipeline.NewWorker(), profiled: s.opts.Profile != nil}
}

func (w *worker) run(ctx context.Context, jobs <-chan job) error {
	for {
		var j job
		var ok bool
		select {
		case j, ok = <-jobs:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !ok {
			return nil
		}
		j.batch.errs[j.slot] = w.fill(ctx, j)
		if j.batch.pending.Add(-1) == 0 {
			j.batch.done <- struct{}{}
		}
	}
}

// fill writes a sample's image to its place.
func (w *worker) fill(ctx context.Context, j job) error {
	s, i := w.stream, j.batch.first+j.slot
	m, err := w.image(ctx, i)
	if err != nil {
		return err
	}
	if m.Height != s.height || m.Width != s.width {
		return fmt.Errorf("image %q is %d x %d (height x width) after the pipeline, but those before it are %d x %d: a network takes images of one size; end the resizing with CenterCrop, or resize to (height, width)",
			s.samples[i].Path, m.Height, m.Width, s.height, s.width)
	}
	defer w.lap(&w.profile.Normalize)()
	from, to := j.slot*s.imageLen(), (j.slot+1)*s.imageLen()
	if s.raw() {
		err = s.pipeline.Pixels(m, j.batch.pixels[from:to])
	} else {
		err = s.pipeline.Tensor(m, j.batch.images[from:to])
	}
	if err != nil {
		return fmt.Errorf("transforming image %q: %w", s.samples[i].Path, err)
	}
	return nil
}

// image takes a sample's image through the 8-bit transforms.
func (w *worker) image(ctx context.Context, i int) (*preprocess.Image, error) {
	s := &w.stream.samples[i]
	w.profile.Images++
	m, err := w.open(ctx, s)
	if ctx.Err() != nil {
		return nil, ctx.Err() // which is not the image's fault
	}
	if err != nil {
		return nil, badImage{err}
	}
	defer w.lap(&w.profile.Transform)()
	if m, err = w.images.Apply(m); err != nil {
		return nil, badImage{fmt.Errorf("transforming image %q: %w", s.Path, err)}
	}
	return m, nil
}

// open reads and decodes an image.
func (w *worker) open(ctx context.Context, s *dataset.Sample) (*preprocess.Image, error) {
	if s.Array != nil {
		return fromArray(s.Array), nil
	}
	stop := w.lap(&w.profile.Read)
	data, err := infile.Read(ctx, s.Path, w.file, maxFile)
	stop()
	if err != nil {
		return nil, fmt.Errorf("reading image: %w", err)
	}
	if cap(data) <= maxKept {
		w.file = data[:0]
	}
	defer w.lap(&w.profile.Decode)()
	m, err := w.images.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("reading image %q: %w", s.Path, err)
	}
	return m, nil
}

// lap starts a clock. The function that it returns adds the elapsed time to d, if a
// profile is wanted.
func (w *worker) lap(d *time.Duration) func() {
	if !w.profiled {
		return func() {}
	}
	start := time.Now()
	return func() { *d += time.Since(start) }
}

// fromArray returns an array as an image. They share memory, which no transform
// writes to.
func fromArray(a *dataset.Array) *preprocess.Image {
	return &preprocess.Image{Width: a.Width, Height: a.Height, Grey: a.Channels == 1, Pix: a.Pix}
}

// Open gives the image of a sample as it is before the pipeline.
func Open(ctx context.Context, s dataset.Sample) (*preprocess.Image, error) {
	if s.Array != nil {
		return fromArray(s.Array), nil
	}
	data, err := infile.Read(ctx, s.Path, nil, maxFile)
	if err != nil {
		return nil, fmt.Errorf("reading image: %w", err)
	}
	m, err := preprocess.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("reading image %q: %w", s.Path, err)
	}
	return m, nil
}
