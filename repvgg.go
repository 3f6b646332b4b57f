// Package repvgg converts RepVGG checkpoints and classifies images with them. It
// does for Go programs what the command repvgg does, and needs no Python.
//
// Configs are MMClassification's. Checkpoints are PyTorch's or safetensors, with the
// tensor names of MMClassification, of the official RepVGG code or of timm. A
// checkpoint is untrusted input: nothing in it is executed. If it does not fit the
// config, the error names the tensors. See docs/api.md for examples.
package repvgg

import (
	"context"
	"slices"

	"repvgg/internal/app"
	"repvgg/internal/checkpoint"
	"repvgg/internal/engine"
)

// Reparameterize fuses the branches of every block of a training checkpoint and
// writes the deploy weights to dst. They are bit-identical to those of
// MMClassification's reparameterize_model.py. cfg is the train config: a file, or the
// name of a published variant such as "repvgg-A0". overrides change entries of it,
// such as "model.head.num_classes=10". dst must end in .pth, for PyTorch's zip format,
// or in .safetensors. A failed run leaves no file.
func Reparameterize(ctx context.Context, cfg, src, dst string, overrides ...string) error {
	source := app.Source{Config: cfg, Overrides: overrides, Checkpoint: src}
	return app.Reparameterize(ctx, app.Conversion{Source: source, Dst: dst}, app.Host{})
}

// Options are the options of Open. The zero value is a good choice.
type Options struct {
	// Overrides change entries of the config: model.head.num_classes=10.
	Overrides []string
	// Averaged uses the EMA weights in the checkpoint instead of the trained ones.
	Averaged bool
	// Key is the key of the state dict in the checkpoint. If it is empty, the most
	// likely one is used.
	Key string
	// CUDA runs the network with cuDNN on the NVIDIA GPU with the number GPU. Otherwise
	// it runs on the CPU.
	CUDA bool
	GPU  int
	// Precision is "fp32", which is the default, or "bf16". A GPU also has "tf32",
	// "fp16" and "auto". On the CPU, bf16 needs AVX512-BF16.
	Precision string
	// Threads is the number of CPU threads; 0 means all cores.
	Threads int
	// Progress, unless nil, is called by ClassifyFiles with the number of files
	// that were finished since the last call.
	Progress func(files int)
}

// Classifier is a network with its weights, ready to run. Open returns one. It is
// safe for concurrent use; calls run one at a time. Close it to free its memory and
// its threads.
type Classifier struct {
	c        *app.Classifier
	warnings []string
}

// Prediction is the result for one image.
type Prediction struct {
	// Label is the class with the highest score. Among equal scores, it is the
	// lowest class. Class is its name.
	Label int
	Class string
	// Scores are the softmax scores of all classes; they add up to 1.
	Scores []float32
}

// Open reads a config and a checkpoint of either form. A training checkpoint is
// fused as it is read: the network always runs in its deploy form.
func Open(ctx context.Context, cfg, ckpt string, o Options) (*Classifier, error) {
	c := new(Classifier)
	h := app.Host{
		Note: func(n app.Note) { c.warnings = append(c.warnings, n.Text) },
		Progress: func(string, int) (func(int), func()) {
			if o.Progress == nil {
				return func(int) {}, func() {}
			}
			return o.Progress, func() {}
		},
	}
	d := app.Device{CUDA: o.CUDA, GPU: o.GPU, Threads: o.Threads}
	var err error
	if o.Precision != "" {
		if d.Precision, err = engine.ParsePrecision(o.Precision, app.Precisions(o.CUDA)); err != nil {
			return nil, err
		}
	}
	source := app.Source{Config: cfg, Overrides: o.Overrides, Checkpoint: ckpt, Choice: checkpoint.Choice{Averaged: o.Averaged, Key: o.Key}}
	c.c, err = app.OpenClassifier(ctx, source, d, h)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close frees the classifier's memory and threads.
func (c *Classifier) Close() error { return c.c.Close() }

// Classes returns the class names, in the order of the scores. They are the names
// that the checkpoint records. If it records none, or the wrong number of them, a
// network with 1000 classes uses ImageNet's, and any other network uses numbers.
func (c *Classifier) Classes() []string { return slices.Clone(c.c.Classes) }

// Warnings returns what the user should know about the config and the checkpoint,
// such as overrides that have no effect, or EMA weights that are not used.
func (c *Classifier) Warnings() []string { return slices.Clone(c.warnings) }

// ClassifyFiles classifies image files (JPEG, PNG, BMP, PNM, TIFF). It reads the next
// files while the network runs. The predictions are in the order of the paths. The
// error is that of the first file that can't be used.
func (c *Classifier) ClassifyFiles(ctx context.Context, paths ...string) ([]Prediction, error) {
	all, err := c.c.Files(ctx, paths)
	if err != nil {
		return nil, err
	}
	predictions := make([]Prediction, len(all))
	for i, p := range all {
		predictions[i] = c.prediction(p)
	}
	return predictions, nil
}

// Classify classifies one image, given as the contents of an image file.
func (c *Classifier) Classify(ctx context.Context, file []byte) (Prediction, error) {
	p, err := c.c.Image(ctx, file)
	if err != nil {
		return Prediction{}, err
	}
	return c.prediction(p), nil
}

func (c *Classifier) prediction(p app.Prediction) Prediction {
	return Prediction{Label: p.Label, Class: c.c.Classes[p.Label], Scores: p.Scores}
}

// Logits runs the network on n normalised images of h x w, in N, C, H, W order, and
// writes one value per class and image to dst. On the CPU, an image's logits are
// bit-identical whatever the other images in its batch.
func (c *Classifier) Logits(ctx context.Context, dst, images []float32, n, h, w int) error {
	return c.c.Logits(ctx, dst, images, n, h, w)
}
