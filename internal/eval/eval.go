package eval

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"repvgg/internal/dataset"
	"repvgg/internal/engine"
	"repvgg/internal/metrics"
	"repvgg/internal/preprocess"
)

// Options of Predict.
type Options struct {
	// BatchSize is the number of images that the network runs at a time, at least 1.
	BatchSize int
	// Classes is the number of logits per image.
	Classes int
	// Workers is the number of images that are read and transformed at a time. 0 means
	// one per core.
	Workers int
	// Memory, unless 0, is how many bytes the images may take that are on their way to
	// the network, and how many the scores. More is an error before any of it is
	// allocated.
	Memory int64
	// SkipBad leaves images that cannot be read, decoded or transformed out,
	// where otherwise the first of them is an error.
	SkipBad bool
	// Each, unless nil, is given the outcome of every sample, in order, as soon as its
	// batch is done: its scores, which it may keep, or why its image can't be used. The
	// Prediction then holds nothing, and no image is an error of Predict. An error of
	// Each ends the work. The pipeline must say how large its images are.
	Each func(sample int, scores []float32, bad error) error
	// Progress, unless nil, is called after each batch with the number of
	// samples that are done with it, bad ones included.
	Progress func(samples int)
	// Profile, unless nil, is filled in with where the time went.
	Profile *Profile
}

// Prediction has the network's scores for the images.
type Prediction struct {
	// Scores are the softmax scores: a row for each image, with a score for each class.
	Scores []float32
	// Samples has the index of each row's sample, in ascending order. Bad samples are
	// missing.
	Samples []int
	// Bad are the images that were left out, in the order of the samples.
	Bad []BadImage
}

// BadImage is a sample whose image can't be used.
type BadImage struct {
	Sample int
	Err    error // it names the file
}

// Check returns an error if the pipeline does not fit the samples. A pipeline that
// begins with LoadImageFromFile needs files, and any other needs arrays. The number
// of channels must be that of Normalize.
func Check(p *preprocess.Pipeline, samples []dataset.Sample) error {
	if len(samples) == 0 {
		return nil
	}
	arrays := samples[0].Array != nil
	switch {
	case arrays && p.ReadsFiles():
		return errors.New("the data set holds arrays: its pipeline must not have the step LoadImageFromFile")
	case !arrays && !p.ReadsFiles():
		return errors.New("the data set's images are files: its pipeline must begin with the step LoadImageFromFile")
	}
	return p.CheckChannels(channels(samples[0]))
}

// channels returns the number of channels of a sample's image. Files are decoded to
// colour.
func channels(s dataset.Sample) int {
	if s.Array != nil {
		return s.Array.Channels
	}
	return 3
}

// Predict returns the softmax scores of the samples' images.
//
// If the runner has StartBytes (engine.Capabilities), it gets bytes and normalises
// them with the pipeline's Table. It gets the next batch while it computes one.
//
// Memory: the images of two batches, and of twice as many samples as there are
// workers, rounded up to whole batches. In addition, each worker holds a file, its
// decoded image and the results of two transforms. It keeps at most 32 MB of each
// between images.
func Predict(ctx context.Context, r engine.Runner, p *preprocess.Pipeline, samples []dataset.Sample, opts Options) (*Prediction, error) {
	if len(samples) == 0 {
		return new(Prediction), nil
	}
	if err := Check(p, samples); err != nil {
		return nil, err
	}
	if opts.Workers < 1 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	s := &stream{pipeline: p, samples: samples, opts: opts, channels: channels(samples[0]), startBytes: r.Capabilities().StartBytes}
	if err := s.findSize(ctx); err != nil {
		return nil, err
	}
	if err := s.checkMemory(); err != nil {
		return nil, err
	}
	started := s.now()
	out := new(Prediction)
	if opts.Each == nil {
		out.Scores, out.Samples = make([]float32, len(samples)*opts.Classes), make([]int, 0, len(samples))
	}
	g, ctx := errgroup.WithContext(ctx)
	s.start(ctx, g)
	g.Go(func() error { return out.run(ctx, r, s) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if opts.Each == nil && len(out.Samples) == 0 {
		return nil, fmt.Errorf("none of the %d images can be used; the first: %w", len(samples), out.Bad[0].Err)
	}
	out.Scores = out.Scores[:len(out.Samples)*opts.Classes]
	s.profile(opts.Profile, s.since(started))
	return out, nil
}

// pending is a batch that the network is computing.
type pending struct {
	rows    []float32 // the logits of its good images, when wait has returned
	first   int       // of its samples
	samples int
	bad     []error // of each sample, for Options.Each
	wait    func() error
}

// run passes the batches to the network in order. With byte input, two batches are
// in progress at a time.
func (out *Prediction) run(ctx context.Context, r engine.Runner, s *stream) error {
	var queue []pending
	for {
		asked := s.now()
		b, err := s.next(ctx)
		if err != nil {
			return err
		}
		s.waited += s.since(asked)
		if b != nil {
			f, err := out.begin(ctx, r, s, b)
			if err != nil {
				return err
			}
			queue = append(queue, f)
			s.free <- b
		}
		for len(queue) > 0 && (b == nil || len(queue) > 1 || !s.raw()) {
			if err := s.end(queue[0]); err != nil {
				return err
			}
			queue = queue[1:]
		}
		if b == nil {
			return nil
		}
	}
}

// begin starts the network on the good images of a batch.
func (out *Prediction) begin(ctx context.Context, r engine.Runner, s *stream, b *batch) (pending, error) {
	before, classes := len(out.Samples), s.opts.Classes
	f := pending{first: b.first, samples: b.n, wait: func() error { return nil }}
	n, err := s.collect(b, out)
	if err != nil {
		return f, err
	}
	if s.opts.Each != nil {
		f.bad = slices.Clone(b.errs[:b.n])
		f.rows = make([]float32, n*classes)
	} else {
		f.rows = out.Scores[before*classes : (before+n)*classes]
	}
	if n == 0 {
		return f, nil
	}
	started := s.now()
	if s.raw() {
		f.wait, err = s.startBytes(ctx, f.rows, b.pixels[:n*s.imageLen()], n, s.height, s.width)
	} else {
		err = r.Run(ctx, f.rows, b.images[:n*s.imageLen()], n, s.height, s.width)
	}
	s.ran += s.since(started)
	return f, err
}

// end waits for a batch and turns its logits into scores.
func (s *stream) end(f pending) error {
	started := s.now()
	if err := f.wait(); err != nil {
		return err
	}
	s.ran += s.since(started)
	classes := s.opts.Classes
	for rows := f.rows; len(rows) > 0; rows = rows[classes:] {
		metrics.Softmax(rows[:classes], rows[:classes])
	}
	rows := f.rows
	for i, bad := range f.bad {
		var scores []float32
		if bad == nil {
			scores, rows = rows[:classes:classes], rows[classes:]
		}
		if err := s.opts.Each(f.first+i, scores, bad); err != nil {
			return err
		}
	}
	if s.opts.Progress != nil {
		s.opts.Progress(f.samples)
	}
	return nil
}

// now returns the current time, or the zero time if no profile is wanted.
func (s *stream) now() time.Time {
	if s.opts.Profile == nil {
		return time.Time{}
	}
	return time.Now()
}

func (s *stream) since(t time.Time) time.Duration {
	if s.opts.Profile == nil {
		return 0
	}
	return time.Since(t)
}
