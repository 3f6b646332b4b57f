// Package eval takes images through a network: it reads and transforms them on
// all cores while the network runs, and gives their scores in the order of the
// data set.
package eval

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"repvgg/internal/dataset"
	"repvgg/internal/metrics"
	"repvgg/internal/preprocess"
)

// Runner computes logits; see cpu.Runner.
type Runner interface {
	// Run computes dst, n rows of one logit a class, from n normalised images of
	// h x w, each laid out C, H, W.
	Run(ctx context.Context, dst, src []float32, n, h, w int) error
}

// Options of Predict.
type Options struct {
	// BatchSize is how many images the network runs at a time, at least 1.
	BatchSize int
	// Classes is the number of logits of an image.
	Classes int
	// Progress, unless nil, is called after each batch with the number of images
	// in it.
	Progress func(images int)
}

// channels of an image; networks of another number can't be tested on images.
const channels = 3

// Predict gives the softmax scores of each sample's image, rows of opts.Classes
// values. Memory holds two batches of images, whatever the number of samples.
func Predict(ctx context.Context, r Runner, p *preprocess.Pipeline, samples []dataset.Sample, opts Options) ([]float32, error) {
	scores := make([]float32, len(samples)*opts.Classes)
	if len(samples) == 0 {
		return scores, nil
	}
	l, err := newLoader(p, samples)
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	free, ready := make(chan *batch, 2), make(chan *batch)
	for range cap(free) {
		free <- &batch{images: make([]float32, min(opts.BatchSize, len(samples))*l.imageLen())}
	}
	g.Go(func() error {
		defer close(ready)
		for first := 0; first < len(samples); first += opts.BatchSize {
			var b *batch
			select {
			case b = <-free:
			case <-ctx.Done():
				return ctx.Err()
			}
			b.first, b.n = first, min(opts.BatchSize, len(samples)-first)
			if err := l.load(ctx, b); err != nil {
				return err
			}
			select {
			case ready <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	g.Go(func() error {
		for b := range ready {
			rows := scores[b.first*opts.Classes : (b.first+b.n)*opts.Classes]
			if err := r.Run(ctx, rows, b.images[:b.n*l.imageLen()], b.n, l.height, l.width); err != nil {
				return err
			}
			for ; len(rows) > 0; rows = rows[opts.Classes:] {
				metrics.Softmax(rows[:opts.Classes], rows[:opts.Classes])
			}
			if opts.Progress != nil {
				opts.Progress(b.n)
			}
			free <- b
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return scores, nil
}

// batch is the normalised images of n samples from first on.
type batch struct {
	first, n int
	images   []float32
}

// loader reads and transforms images. All have the size of the first.
type loader struct {
	pipeline      *preprocess.Pipeline
	samples       []dataset.Sample
	height, width int
}

func newLoader(p *preprocess.Pipeline, samples []dataset.Sample) (*loader, error) {
	l := &loader{pipeline: p, samples: samples}
	first, err := l.image(0)
	if err != nil {
		return nil, err
	}
	l.height, l.width = first.Height, first.Width
	return l, nil
}

func (l *loader) imageLen() int { return channels * l.height * l.width }

// load fills a batch on all cores.
func (l *loader) load(ctx context.Context, b *batch) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range b.n {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			m, err := l.image(b.first + i)
			if err != nil {
				return err
			}
			path := l.samples[b.first+i].Path
			if m.Height != l.height || m.Width != l.width {
				return fmt.Errorf("image %q is %d x %d after the pipeline, but %q is %d x %d: a network takes images of one size; end the resizing with CenterCrop, or resize to (height, width)",
					path, m.Height, m.Width, l.samples[0].Path, l.height, l.width)
			}
			n := l.imageLen()
			if err := l.pipeline.Tensor(m, b.images[i*n:(i+1)*n]); err != nil {
				return fmt.Errorf("transforming image %q: %w", path, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// image reads a sample's image and takes it through the 8-bit transforms.
func (l *loader) image(i int) (*preprocess.Image, error) {
	path := l.samples[i].Path
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading image: %w", err)
	}
	m, err := preprocess.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("reading image %q: %w", path, err)
	}
	if m, err = l.pipeline.Apply(m); err != nil {
		return nil, fmt.Errorf("transforming image %q: %w", path, err)
	}
	return m, nil
}
