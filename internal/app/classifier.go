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
// images. It is safe for concurrent use; calls wait for one another. Close it to
// free what it holds.
type Classifier struct {
	// Classes are the names of the classes, in the order of the scores.
	Classes []string

	pipeline *preprocess.Pipeline
	runner   engine.Runner
	host     Host
}

// Prediction is what a network makes of an image.
type Prediction struct {
	// Label is the class with the highest score, the first of equals.
	Label int
	// Scores are the softmax scores of all classes; they add up to 1.
	Scores []float32
}

// batchSize is how many files Files runs at a time.
const batchSize = 32

// OpenClassifier reads a config and a checkpoint of either form. A training
// checkpoint is fused on the way.
func OpenClassifier(ctx context.Context, s Source, d Device, h Host) (*Classifier, error) {
	r, err := recipe.Load(s.Config, s.Overrides)
	if err != nil {
		return nil, err
	}
	if n := r.Network.InChannels; n != 3 {
		return nil, fmt.Errorf("config %q: image files have 3 channels, the network takes %d", s.Config, n)
	}
	c := &Classifier{host: h}
	if c.pipeline, err = filePipeline(r); err != nil {
		return nil, err
	}
	w, err := weights.Open(s.Checkpoint, r.Network, s.EMA)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	c.Classes = classNames(r.Network.Head.Classes, w.File.Classes, dataset.ImageNetClasses())
	h.NoteRecipe(r)
	h.noteWeights(w, s.EMA)
	if c.runner, err = d.open(ctx, h, w.Plan.As(model.Deploy), w.Deploy(), c.pipeline, batchSize, batchSize); err != nil {
		return nil, err
	}
	if err := w.Verify(); err != nil {
		_ = c.runner.Close() // the first error counts
		return nil, err
	}
	return c, nil
}

// filePipeline is the config's test pipeline, which must be one for image files.
func filePipeline(r *recipe.Recipe) (*preprocess.Pipeline, error) {
	p, err := r.Pipeline()
	if err != nil {
		return nil, err
	}
	if !p.ReadsFiles() {
		return nil, fmt.Errorf("config %q: its pipeline is for arrays: it does not begin with LoadImageFromFile", r.Path)
	}
	if err := p.CheckChannels(3); err != nil {
		return nil, fmt.Errorf("config %q: %w", r.Path, err)
	}
	return p, nil
}

// classNames are the first names that are as many as there are classes; numbers if
// none are.
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

// Close frees what the classifier holds.
func (c *Classifier) Close() error { return c.runner.Close() }

// Files classifies image files, reading some while others run. The predictions
// are in the order of the paths. The error is that of the first file that can't be
// used.
func (c *Classifier) Files(ctx context.Context, paths []string) ([]Prediction, error) {
	add, end := c.host.progress("images", len(paths))
	defer end()
	samples := make([]dataset.Sample, len(paths))
	for i, path := range paths {
		samples[i] = dataset.Sample{Name: path, Path: path}
	}
	p, err := eval.Predict(ctx, c.runner, c.pipeline, samples, eval.Options{BatchSize: batchSize, Classes: len(c.Classes), Progress: add})
	if err != nil {
		return nil, err
	}
	all := c.predictions(p.Scores)
	for i := range all {
		if err := all[i].check(); err != nil {
			return nil, fmt.Errorf("classifying %q: %w", paths[i], err)
		}
	}
	return all, nil
}

// Image classifies one image, given as the content of an image file.
func (c *Classifier) Image(ctx context.Context, file []byte) (Prediction, error) {
	m, err := preprocess.Decode(file)
	if err != nil {
		return Prediction{}, err
	}
	if m, err = c.pipeline.Apply(m); err != nil {
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
	p := c.predictions(scores)[0]
	return p, p.check()
}

// Logits runs the network on n images of h x w that are normalised already, laid
// out C, H, W one after the other, and writes one value a class for each to dst.
func (c *Classifier) Logits(ctx context.Context, dst, images []float32, n, h, w int) error {
	return c.runner.Run(ctx, dst, images, n, h, w)
}

// check refuses scores that are no numbers.
func (p *Prediction) check() error {
	if score := p.Scores[p.Label]; score != score {
		return errors.New("the network's scores are not numbers; the training run diverged, or the weights are damaged")
	}
	return nil
}

// predictions makes one of each row of scores.
func (c *Classifier) predictions(scores []float32) []Prediction {
	n := len(c.Classes)
	all := make([]Prediction, len(scores)/n)
	for i := range all {
		row := scores[i*n : (i+1)*n : (i+1)*n]
		all[i] = Prediction{Label: metrics.ArgMax(row), Scores: row}
	}
	return all
}
