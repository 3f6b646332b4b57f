// Package repvgg converts RepVGG checkpoints and classifies images with them, in
// Go alone: what the command repvgg does, for programs.
//
// Configs are MMClassification's, checkpoints PyTorch's or safetensors with the
// tensor names of MMClassification, of the official RepVGG code or of timm; see
// the README. A checkpoint is untrusted input: nothing in it is executed, and
// one that does not fit its config is an error that names the tensors.
package repvgg

import (
	"context"
	"slices"

	"repvgg/internal/app"
	"repvgg/internal/engine"
)

// Reparameterize fuses the branches of every block of a training checkpoint and
// writes the deploy weights to dst, bit for bit as MMClassification's
// reparameterize_model.py does. cfg is the train config: a file, or the name of
// a published variant such as "repvgg-A0"; overrides are entries of it such as
// "model.head.num_classes=10". dst is written in torch's zip format, or as
// safetensors if its name ends so. A failed run leaves no file.
func Reparameterize(ctx context.Context, cfg, src, dst string, overrides ...string) error {
	source := app.Source{Config: cfg, Overrides: overrides, Checkpoint: src}
	return app.Reparameterize(ctx, app.Conversion{Source: source, Dst: dst}, app.Host{})
}

// Options of Open. The zero value is a good choice.
type Options struct {
	// Overrides are entries of the config, as of --cfg-options.
	Overrides []string
	// Averaged takes the averaged weights (EMA) that the run kept in the checkpoint.
	Averaged bool
	// CUDA runs the network on an NVIDIA GPU, the one of number GPU, through cuDNN;
	// otherwise it runs on the CPU.
	CUDA bool
	GPU  int
	// Precision is "fp32", the default, or "bf16"; on a GPU also "tf32", "fp16" and
	// "auto". On the CPU, bf16 needs AVX512-BF16.
	Precision string
	// Threads is how many the network runs on; 0 means all cores.
	Threads int
	// Progress, unless nil, is called by ClassifyFiles with the number of files
	// that are done since the last call.
	Progress func(files int)
}

// Classifier is a network with its weights, ready to run; Open makes it. It is
// safe for concurrent use; calls wait for one another. Close it to free its memory
// and end its threads.
type Classifier struct {
	c        *app.Classifier
	warnings []string
}

// Prediction is what a network makes of an image.
type Prediction struct {
	// Label is the class with the highest score, the first of equals; Class is
	// its name.
	Label int
	Class string
	// Scores are the softmax scores of all classes; they add up to 1.
	Scores []float32
}

// Open reads a config and a checkpoint of either form. A training checkpoint is
// fused on the way: the network always runs in its deploy form.
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
	source := app.Source{Config: cfg, Overrides: o.Overrides, Checkpoint: ckpt, EMA: o.Averaged}
	c.c, err = app.OpenClassifier(ctx, source, d, h)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close frees what the classifier holds.
func (c *Classifier) Close() error { return c.c.Close() }

// Classes are the names of the classes, in the order of the scores: those that the
// checkpoint recorded, or ImageNet's if it recorded none or too few and the
// network has as many, or numbers.
func (c *Classifier) Classes() []string { return slices.Clone(c.c.Classes) }

// Warnings are what is worth knowing of the config and the checkpoint: overrides
// that have no effect, averaged weights.
func (c *Classifier) Warnings() []string { return slices.Clone(c.warnings) }

// ClassifyFiles classifies image files (JPEG, PNG, BMP, PNM, TIFF), reading some
// while others run. The predictions are in the order of the paths. The error is
// that of the first file that can't be used.
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

// Classify classifies one image, given as the content of an image file.
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

// Logits runs the network on n images of h x w that are normalised already, laid
// out C, H, W one after the other, and writes one value a class for each to dst.
// On the CPU, an image's logits are the same bits in whatever batch it stands.
func (c *Classifier) Logits(ctx context.Context, dst, images []float32, n, h, w int) error {
	return c.c.Logits(ctx, dst, images, n, h, w)
}
