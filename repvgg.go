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
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"repvgg/internal/checkpoint"
	"repvgg/internal/convert"
	"repvgg/internal/cpu"
	"repvgg/internal/dataset"
	"repvgg/internal/engine"
	"repvgg/internal/eval"
	"repvgg/internal/metrics"
	"repvgg/internal/model"
	family "repvgg/internal/model/repvgg"
	"repvgg/internal/preprocess"
	"repvgg/internal/recipe"
	"repvgg/internal/tensor"
	"repvgg/internal/weights"
)

// Reparameterize fuses the branches of every block of a training checkpoint and
// writes the deploy weights to dst, bit for bit as MMClassification's
// reparameterize_model.py does. cfg is the train config: a file, or the name of
// a published variant such as "repvgg-A0"; overrides are entries of it such as
// "model.head.num_classes=10". dst is written in torch's zip format, or as
// safetensors if its name ends so. A failed run leaves no file.
func Reparameterize(ctx context.Context, cfg, src, dst string, overrides ...string) error {
	if !slices.Contains(checkpoint.Suffixes, filepath.Ext(dst)) {
		return fmt.Errorf("writing checkpoint %q: the path should end in %s, the formats that are written", dst, strings.Join(checkpoint.Suffixes, " or "))
	}
	r, err := recipe.Load(cfg, overrides)
	if err != nil {
		return err
	}
	plan := r.Network
	if plan.Form == model.Deploy {
		return fmt.Errorf("config %q describes the deploy form; give the train config, whose blocks have branches to fuse", cfg)
	}
	w, err := weights.OpenForm(src, plan, false)
	if err != nil {
		return err
	}
	defer w.Close()
	return convert.WriteDeploy(ctx, w, dst, family.MMClassification, nil)
}

// Options of Open. The zero value is a good choice.
type Options struct {
	// Overrides are entries of the config, as of --cfg-options.
	Overrides []string
	// Averaged takes the averaged weights (EMA) that the run kept in the checkpoint.
	Averaged bool
	// Threads is how many the network runs on; 0 means all cores.
	Threads int
	// Progress, unless nil, is called by ClassifyFiles with the number of files
	// that are done since the last call.
	Progress func(files int)
	// BF16 computes in bfloat16, on processors that have AVX512-BF16.
	BF16 bool
}

// Classifier is a network with its weights, ready to run on the CPU; Open makes
// it. It is safe for concurrent use; calls wait for one another. Close it to free
// its memory and end its threads.
type Classifier struct {
	pipeline *preprocess.Pipeline
	warnings []string
	runner   *cpu.Runner
	classes  []string
	progress func(files int)
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
	r, err := recipe.Load(cfg, o.Overrides)
	if err != nil {
		return nil, err
	}
	c := &Classifier{progress: o.Progress}
	if n := r.Network.InChannels; n != 3 {
		return nil, fmt.Errorf("config %q: image files have 3 channels, the network takes %d", cfg, n)
	}
	if c.pipeline, err = filePipeline(r); err != nil {
		return nil, err
	}
	w, err := weights.Open(ckpt, r.Network, o.Averaged)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	c.classes = classNames(w.File.Classes, r.Network.Head.Classes)
	c.warnings = warnings(r, w.File, o)
	if c.runner, err = newRunner(ctx, w, c.pipeline, o); err != nil {
		return nil, err
	}
	return c, nil
}

// warnings are what a user should know of the config and the checkpoint.
func warnings(r *recipe.Recipe, file *checkpoint.File, o Options) []string {
	all := r.Warnings()
	for _, override := range r.Unread() {
		all = append(all, fmt.Sprintf("override %s: nothing reads this key", override))
	}
	if file.Averages > 0 {
		all = append(all, fmt.Sprintf("%q also holds %d averaged tensors, which are left out", file.Path, file.Averages))
	}
	if file.Averaged && !o.Averaged {
		all = append(all, fmt.Sprintf("%q holds averaged weights only (%s): they are used", file.Path, file.Key))
	}
	return append(all, file.Notes()...)
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

// classNames are the checkpoint's names of so many classes, or ImageNet's if it
// has none and there are as many.
func classNames(recorded []string, classes int) []string {
	for _, names := range [][]string{recorded, dataset.ImageNetClasses()} {
		if len(names) == classes {
			return names
		}
	}
	names := make([]string, classes)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	return names
}

func newRunner(ctx context.Context, w *weights.Set, p *preprocess.Pipeline, o Options) (*cpu.Runner, error) {
	options := cpu.Options{Threads: o.Threads}
	options.Height, options.Width, _ = p.OutputSize() // 0 if images differ
	if o.BF16 {
		options.Precision = engine.BF16
	}
	r, err := cpu.New(w.Plan.As(model.Deploy), tensor.Interruptible(ctx, w.Deploy()), options)
	if err != nil {
		return nil, err
	}
	if err := w.Verify(); err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}

// Close frees what the classifier holds.
func (c *Classifier) Close() error { return c.runner.Close() }

// Classes are the names of the classes, in the order of the scores: those that the
// checkpoint recorded, or ImageNet's if it recorded none or too few and the
// network has as many, or numbers.
func (c *Classifier) Classes() []string { return slices.Clone(c.classes) }

// Warnings are what is worth knowing of the config and the checkpoint: overrides
// that have no effect, averaged weights.
func (c *Classifier) Warnings() []string { return slices.Clone(c.warnings) }

// batchSize is how many files ClassifyFiles runs at a time.
const batchSize = 32

// ClassifyFiles classifies image files (JPEG, PNG, BMP, PNM, TIFF), reading some
// while others run. The predictions are in the order of the paths. The error is
// that of the first file that can't be used.
func (c *Classifier) ClassifyFiles(ctx context.Context, paths ...string) ([]Prediction, error) {
	samples := make([]dataset.Sample, len(paths))
	for i, path := range paths {
		samples[i] = dataset.Sample{Name: path, Path: path}
	}
	p, err := eval.Predict(ctx, c.runner, c.pipeline, samples, eval.Options{BatchSize: batchSize, Classes: len(c.classes), Progress: c.progress})
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

// Classify classifies one image, given as the content of an image file.
func (c *Classifier) Classify(ctx context.Context, file []byte) (Prediction, error) {
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
	scores := make([]float32, len(c.classes))
	if err := c.runner.Run(ctx, scores, x, 1, m.Height, m.Width); err != nil {
		return Prediction{}, err
	}
	metrics.Softmax(scores, scores)
	p := c.predictions(scores)[0]
	return p, p.check()
}

// check refuses scores that are no numbers.
func (p *Prediction) check() error {
	if score := p.Scores[p.Label]; score != score {
		return errors.New("the network's scores are not numbers; the training run diverged, or the weights are damaged")
	}
	return nil
}

// Logits runs the network on n images of h x w that are normalised already, laid
// out C, H, W one after the other, and writes one value a class for each to dst.
// An image's logits are the same bits in whatever batch it stands.
func (c *Classifier) Logits(ctx context.Context, dst, images []float32, n, h, w int) error {
	return c.runner.Run(ctx, dst, images, n, h, w)
}

// predictions makes one of each row of scores.
func (c *Classifier) predictions(scores []float32) []Prediction {
	n := len(c.classes)
	all := make([]Prediction, len(scores)/n)
	for i := range all {
		row := scores[i*n : (i+1)*n : (i+1)*n]
		label := metrics.ArgMax(row)
		all[i] = Prediction{Label: label, Class: c.classes[label], Scores: row}
	}
	return all
}
