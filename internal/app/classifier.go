package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"repvgg/internal/dataset"
	"repvgg/internal/engine"
	"repvgg/internal/eval"
	"repvgg/internal/metrics"
	"repvgg/internal/model"
	"repvgg/internal/preprocess"
	"repvgg/internal/recipe"
	"repvgg/internal/weights"
)

// Classifier is a network in its deploy form with its weights, ready to classify
// images. It is safe for concurrent use; calls run one at a time. Close it to free
// its memory and its threads.
type Classifier struct {
	// Classes are the class names, in the order of the scores.
	Classes []string

	pipeline *preprocess.Pipeline
	runner   engine.Runner
	host     Host
}

// Prediction is the result for one image.
type Prediction struct {
	// Label is the class with the highest score. Among equal scores, it is the lowest
	// class.
	Label int
	// Scores are the softmax scores of all classes; they add up to 1.
	Scores []float32
}

// batchSize is the number of files that Files runs at a time.
const batchSize = 32

// OpenClassifier reads a config and a checkpoint of either form. A training
// checkpoint is fused as it is read.
func OpenClassifier(ctx context.Context, s Source, d Device, h Host) (*Classifier, error) {
	r, err := recipe.Load(s.Config, s.Overrides)
	if err != nil {
		return nil, err
	}
	if n := r.Network.InChannels; n != 3 {
		return nil, fmt.Errorf("config %q: image files have 3 channels, but the network takes %d", s.Config, n)
	}
	c := &Classifier{host: h}
	if c.pipeline, err = filePipeline(r); err != nil {
		return nil, err
	}
	w, err := weights.Open(s.Checkpoint, r.Network, s.Choice, s.Ignore...)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	c.Classes = classNames(r.Network.Head.Classes, w.File.Classes, dataset.ImageNetClasses())
	h.NoteRecipe(r)
	h.noteWeights(w, s.Choice)
	if c.runner, err = d.open(ctx, h, w.Plan.As(model.Deploy), w.Deploy(), c.pipeline, batchSize, batchSize); err != nil {
		return nil, err
	}
	if err := w.Verify(); err != nil {
		_ = c.runner.Close() // the first error counts
		return nil, err
	}
	return c, nil
}

// filePipeline returns the config's test pipeline. It is an error if the pipeline
// is not for image files.
func filePipeline(r *recipe.Recipe) (*preprocess.Pipeline, error) {
	p, err := r.Pipeline()
	if err != nil {
		return nil, err
	}
	if !p.ReadsFiles() {
		return nil, fmt.Errorf("config %q: the pipeline does not begin with LoadImageFromFile, so it is not for image files", r.Path)
	}
	if err := p.CheckChannels(3); err != nil {
		return nil, fmt.Errorf("config %q: %w", r.Path, err)
	}
	return p, nil
}

// classNames returns the first of the lists that has one name for each class, or
// numbers if none has.
func classNames(classes int, among ...[]string) []string {
	for _, names := range among {
		if len(names) == classes {
			return names
		}
	}
	numbers := make([]string, classes)
	for i := range numbers {
		numbers[i] = strconv.Itoa(i)
	}
	return numbers
}

// Close frees the classifier's memory and threads.
func (c *Classifier) Close() error { return c.runner.Close() }

// Files classifies image files as Each does. The error is that of the first file
// that can't be used.
func (c *Classifier) Files(ctx context.Context, paths []string) ([]Prediction, error) {
	all := make([]Prediction, 0, len(paths))
	err := c.Each(ctx, paths, func(_ string, p Prediction, bad error) error {
		all = append(all, p)
		return bad
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Each classifies image files, reading some while others run. Of every file, in order
// and as soon as it is known, each is told what the network makes of it, or why the
// image can't be used. An error of each ends the work.
func (c *Classifier) Each(ctx context.Context, paths []string, each func(path string, p Prediction, bad error) error) error {
	add, end := c.host.progress("images", len(paths))
	defer end()
	if _, _, known := c.pipeline.OutputSize(); !known {
		return c.oneByOne(ctx, paths, each, add)
	}
	samples := make([]dataset.Sample, len(paths))
	for i, path := range paths {
		samples[i] = dataset.Sample{Name: path, Path: path}
	}
	_, err := eval.Predict(ctx, c.runner, c.pipeline, samples, eval.Options{
		BatchSize: batchSize, Classes: len(c.Classes), Memory: imageMemory(), Progress: add,
		Each: func(i int, scores []float32, bad error) error {
			if bad != nil {
				return each(paths[i], Prediction{}, bad)
			}
			p := predictionOf(scores)
			if err := p.check(); err != nil {
				return fmt.Errorf("classifying %q: %w", paths[i], err)
			}
			return each(paths[i], p, nil)
		},
	})
	return err
}

// oneByOne is Each for images of different sizes, which can't share a batch.
func (c *Classifier) oneByOne(ctx context.Context, paths []string, each func(path string, p Prediction, bad error) error, add func(n int)) error {
	for _, path := range paths {
		var p Prediction
		m, bad := eval.Open(ctx, dataset.Sample{Name: path, Path: path})
		if bad == nil {
			if m, bad = c.pipeline.Apply(m); bad != nil {
				bad = fmt.Errorf("transforming image %q: %w", path, bad)
			}
		}
		if bad == nil {
			var err error
			if p, err = c.run(ctx, m); err != nil {
				return fmt.Errorf("classifying %q: %w", path, err)
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := each(path, p, bad); err != nil {
			return err
		}
		add(1)
	}
	return nil
}

// Image classifies one image, given as the contents of an image file.
func (c *Classifier) Image(ctx context.Context, file []byte) (Prediction, error) {
	m, err := preprocess.Decode(file)
	if err != nil {
		return Prediction{}, err
	}
	if m, err = c.pipeline.Apply(m); err != nil {
		return Prediction{}, err
	}
	return c.run(ctx, m)
}

// run classifies what comes out of the pipeline.
func (c *Classifier) run(ctx context.Context, m *preprocess.Image) (Prediction, error) {
	if err := checkImage(m.Channels(), m.Height, m.Width); err != nil {
		return Prediction{}, err
	}
	x := make([]float32, m.Channels()*m.Height*m.Width)
	if err := c.pipeline.Tensor(m, x); err != nil {
		return Prediction{}, err
	}
	scores := make([]float32, len(c.Classes))
	if err := c.runner.Run(ctx, scores, x, 1, m.Height, m.Width); err != nil {
		return Prediction{}, err
	}
	metrics.Softmax(scores, scores)
	p := predictionOf(scores)
	return p, p.check()
}

// Logits runs the network on n normalised images of h x w, in N, C, H, W order, and
// writes one value per class and image to dst.
func (c *Classifier) Logits(ctx context.Context, dst, images []float32, n, h, w int) error {
	return c.runner.Run(ctx, dst, images, n, h, w)
}

// check returns an error if the scores are NaN.
func (p *Prediction) check() error {
	if score := p.Scores[p.Label]; score != score {
		return errors.New("the network's scores are not numbers; the training run diverged, or the weights are damaged")
	}
	return nil
}

// predictionOf is what a row of scores says.
func predictionOf(scores []float32) Prediction {
	return Prediction{Label: metrics.ArgMax(scores), Scores: scores}
}
