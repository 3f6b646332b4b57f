package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"repvgg/internal/checkpoint"
	"repvgg/internal/dataset"
	"repvgg/internal/eval"
	"repvgg/internal/gpu"
	"repvgg/internal/metrics"
	"repvgg/internal/preprocess"
	"repvgg/internal/recipe"
	"repvgg/internal/report"
	"repvgg/internal/shard"
	"repvgg/internal/weights"
)

// Evaluation describes a test: a checkpoint, and a config with the network and the
// images. The checkpoint must have the form that the config describes.
type Evaluation struct {
	Source
	// Compare is a second checkpoint, of either form, to run on the same images. Empty
	// means none.
	Compare string
	Device  Device
	// Metrics are the names of the metrics to compute; see package metrics.
	Metrics       []string
	MetricOptions metrics.Options
	// SkipBad leaves out images that can't be read. Profile measures where the input's
	// time goes.
	SkipBad, Profile bool
	Outputs          Outputs
	// Group is the group of processes that share the images. They exchange results
	// through the folder Dir.
	Group shard.Group
	Dir   string
}

// Outcome is the result of an evaluation. Only the first process of a group has
// one.
type Outcome struct {
	*report.Result
	// Images is the number of images in the data set. Bad are those that were left out.
	Images int
	Bad    []eval.BadImage
	// Doubts are reasons to distrust the result, one line each: scores that are NaN, or
	// an accuracy no better than guessing.
	Doubts []string
	// Profile and Pipeline say where the input's time went. They are nil unless
	// requested.
	Profile  *eval.Profile
	Pipeline *preprocess.Pipeline
	// Comparison is with the second checkpoint. It is nil without one.
	Comparison *report.Comparison

	data    *dataset.Dataset
	samples []int // index of the sample of each row of Result
}

// Test runs an evaluation. Every error in the arguments is found before any image
// is read. It does not write the outputs; see Outcome.Write. In a group, only the
// first process gets an outcome; the others get nil. If the second checkpoint
// fails, the outcome of the first is returned with the error.
func Test(ctx context.Context, e Evaluation, h Host) (*Outcome, error) {
	if err := e.probe(); err != nil {
		return nil, err
	}
	if e.Group.World <= 1 {
		return e.test(ctx, h, nil)
	}
	// Join first, so that a failure of one process ends them all.
	e.Group.Note = func(text string) { h.note(General, "%s", text) }
	exchange, err := e.Group.Join(ctx, e.Dir)
	if err != nil {
		return nil, err
	}
	if e.Group.Rank > 0 {
		h.Note = nil // all processes would give the same notes
	}
	o, err := e.test(ctx, h, exchange)
	if err != nil {
		exchange.Fail(err)
	}
	return o, err
}

// job is an Evaluation whose config, images and checkpoints are open.
type job struct {
	*Evaluation
	host     Host
	device   Device
	data     *dataset.Dataset
	batch    int
	pipeline *preprocess.Pipeline
	weights  *weights.Set
	other    *weights.Set // the second checkpoint, or nil
}

func (e *Evaluation) test(ctx context.Context, h Host, exchange *shard.Gathering) (*Outcome, error) {
	j, err := e.open(ctx, h)
	if err != nil {
		return nil, err
	}
	defer j.close()
	o := &Outcome{Images: len(j.data.Samples), data: j.data}
	if e.Profile {
		o.Profile, o.Pipeline = new(eval.Profile), j.pipeline
	}
	p, err := j.scores(ctx, exchange, o.Profile)
	if err != nil || p == nil {
		return nil, err
	}
	if o.Result, err = j.result(p); err != nil {
		return nil, err
	}
	o.Bad, o.samples = p.Bad, p.Samples
	o.Doubts = j.doubts(o.Result)
	if j.other != nil {
		o.Comparison, err = j.compare(ctx, o.Result)
	}
	return o, err
}

// compare runs the second checkpoint on the images, and compares the results.
func (j *job) compare(ctx context.Context, with *report.Result) (*report.Comparison, error) {
	p, err := j.predict(ctx, j.other, j.data.Samples, nil)
	if err != nil {
		return nil, err
	}
	other, err := j.result(p)
	if err != nil {
		return nil, err
	}
	return report.Compare(j.weights.File.Path, with, j.other.File.Path, other)
}

// open reads the config, the list of images and the checkpoints.
func (e *Evaluation) open(ctx context.Context, h Host) (j *job, err error) {
	r, err := recipe.Load(e.Config, e.Overrides)
	if err != nil {
		return nil, err
	}
	j = &job{Evaluation: e, host: h}
	if err := j.readData(ctx, r); err != nil {
		return nil, err
	}
	if err := j.checkOutputs(ctx, r.Files()); err != nil {
		return nil, err
	}
	if j.device, err = e.Device.ofGroup(e.Group, gpu.Count); err != nil {
		return nil, err
	}
	h.NoteRecipe(r)
	for _, w := range append(slices.Clip(j.data.Warnings), j.data.LabelWarnings(r.Network.Head.Classes)...) {
		h.note(General, "%s", w)
	}
	var files []string
	for _, s := range j.data.Samples {
		if s.Array == nil {
			files = append(files, s.Name)
		}
	}
	h.NoteDecoder(files)
	if j.weights, err = weights.OpenForm(e.Checkpoint, r.Network, e.Choice, e.Ignore...); err != nil {
		return nil, err
	}
	h.noteWeights(j.weights, e.Choice)
	if e.Compare == "" {
		return j, nil
	}
	if j.other, err = weights.Open(e.Compare, r.Network, checkpoint.Choice{}, e.Ignore...); err != nil {
		j.close()
		return nil, err
	}
	for _, n := range j.other.Ignored {
		h.note(General, "%s", n)
	}
	return j, nil
}

func (j *job) close() {
	_ = j.weights.Close() // nothing is written to it
	if j.other != nil {
		_ = j.other.Close()
	}
}

// PlaceError is the error for a data set whose files do not exist at the paths in
// the config.
type PlaceError struct{ Err error }

func (e *PlaceError) Error() string { return e.Err.Error() }
func (e *PlaceError) Unwrap() error { return e.Err }

// readData reads what the config says of the images.
func (j *job) readData(ctx context.Context, r *recipe.Recipe) error {
	data, err := r.Data()
	if err != nil {
		return err
	}
	j.batch = data.BatchSize
	if j.pipeline, err = r.Pipeline(); err != nil {
		return err
	}
	j.data, err = data.Open(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return &PlaceError{err}
	}
	if err != nil {
		return err
	}
	if have := j.data.Channels(); r.Network.InChannels != have {
		return fmt.Errorf("config %q describes a network for %d channels, but the images have %d", j.Config, r.Network.InChannels, have)
	}
	if err := eval.Check(j.pipeline, j.data.Samples); err != nil {
		return fmt.Errorf("config %q: %w", j.Config, err)
	}
	return j.checkLabels(r.Network.Head.Classes)
}

// checkLabels reports labels outside the range of classes, which only accuracy can
// handle.
func (j *job) checkLabels(classes int) error {
	if !metrics.NeedClassLabels(j.Metrics) && j.Outputs.Confusion == "" && j.Outputs.PerClass == "" {
		return nil
	}
	for _, s := range j.data.Samples {
		if s.Label < 0 || s.Label >= classes {
			return fmt.Errorf("image %q has the label %d, but the network has the classes 0 to %d; class values must be smaller than num_classes",
				s.Name, s.Label, classes-1)
		}
	}
	return nil
}

// scores computes the scores of all images. In a group, each process computes its
// share, and only the first gets the result; in the others p is nil.
func (j *job) scores(ctx context.Context, exchange *shard.Gathering, profile *eval.Profile) (p *eval.Prediction, err error) {
	if exchange == nil {
		return j.predict(ctx, j.weights, j.data.Samples, profile)
	}
	var own []dataset.Sample
	for _, i := range j.Group.Indices(len(j.data.Samples)) {
		own = append(own, j.data.Samples[i])
	}
	if p, err = j.predict(ctx, j.weights, own, profile); err != nil {
		return nil, err
	}
	all := &eval.Prediction{Samples: make([]int, len(j.data.Samples))}
	if all.Scores, err = exchange.Gather(ctx, p.Scores, j.weights.Plan.Head.Classes, len(j.data.Samples)); err != nil || j.Group.Rank > 0 {
		return nil, err
	}
	if err := exchange.Close(); err != nil {
		return nil, err
	}
	for i := range all.Samples {
		all.Samples[i] = i
	}
	return all, nil
}

// predict runs a checkpoint on the samples.
func (j *job) predict(ctx context.Context, w *weights.Set, samples []dataset.Sample, profile *eval.Profile) (*eval.Prediction, error) {
	runner, err := j.device.open(ctx, j.host, w.Plan, w, j.pipeline, len(samples), j.batch)
	if err != nil {
		return nil, err
	}
	defer func() { _ = runner.Close() }() // a failure to close changes no result
	if err := w.Verify(); err != nil {
		return nil, err
	}
	add, end := j.host.progress("images", len(samples))
	defer end()
	return eval.Predict(ctx, runner, j.pipeline, samples, eval.Options{
		BatchSize: j.batch, Classes: w.Plan.Head.Classes, Memory: imageMemory(), SkipBad: j.SkipBad, Progress: add, Profile: profile,
	})
}

// result computes the metrics of a prediction. The class names are those that the
// checkpoint recorded, as in the original, or else the data set's.
func (j *job) result(p *eval.Prediction) (*report.Result, error) {
	r := &report.Result{Scores: p.Scores, Classes: classNames(j.weights.Plan.Head.Classes, j.weights.File.Classes, j.data.Classes)}
	for _, i := range p.Samples {
		r.Filenames = append(r.Filenames, j.data.Samples[i].Name)
		r.Labels = append(r.Labels, j.data.Samples[i].Label)
	}
	if len(j.Metrics) == 0 {
		return r, nil
	}
	var err error
	r.Metrics, err = metrics.Evaluate(r.Scores, len(r.Classes), r.Labels, j.Metrics, j.MetricOptions)
	return r, err
}

// doubts returns reasons to distrust a result.
func (j *job) doubts(r *report.Result) []string {
	correct, invalid := 0, 0
	for i, label := range r.Labels {
		row := r.Scores[i*len(r.Classes):][:len(r.Classes)]
		if row[0] != row[0] { // softmax gives a row of NaN or a row without any
			invalid++
		} else if metrics.ArgMax(row) == label {
			correct++
		}
	}
	if invalid > 0 {
		return []string{fmt.Sprintf("the scores of %d of %d images are NaN: the checkpoint holds weights that are not finite, or too large", invalid, len(r.Labels))}
	}
	if w := j.data.ChanceWarning(correct, len(r.Labels), len(r.Classes)); w != "" {
		return []string{w}
	}
	return nil
}
