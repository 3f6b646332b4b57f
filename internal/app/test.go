package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

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

// Evaluation is a checkpoint that is tested on the images of its config, which
// says of which form it is.
type Evaluation struct {
	Source
	// Compare is a second checkpoint, of either form, that is run on the same images;
	// empty for none.
	Compare string
	Device  Device
	// Metrics to compute, by metrics' names.
	Metrics       []string
	MetricOptions metrics.Options
	// SkipBad leaves out images that can't be read. Profile measures the input.
	SkipBad, Profile bool
	Outputs          Outputs
	// Group are the processes that share the images, which meet in the folder Dir.
	Group shard.Group
	Dir   string
}

// Outcome is what an evaluation came to. Only the first process of a group has one.
type Outcome struct {
	*report.Result
	// Images is how many there are in the data set, Bad those that were left out.
	Images int
	Bad    []eval.BadImage
	// Doubts are reasons to distrust the result, a line each: scores that are no
	// numbers, an accuracy that is what guessing gives.
	Doubts []string
	// Profile and Pipeline say where the time of the input went; nil unless asked for.
	Profile  *eval.Profile
	Pipeline *preprocess.Pipeline
	// Comparison with the second checkpoint; nil without one.
	Comparison *report.Comparison

	data    *dataset.Dataset
	samples []int // of the rows of Result
}

// Test runs an evaluation. Whatever is wrong with the arguments is found before
// any image is read. It writes no outputs: see Outcome.Write. The outcome is nil in
// the processes of a group that are not the first. An error of the second checkpoint
// comes with the outcome of the first.
func Test(ctx context.Context, e Evaluation, h Host) (*Outcome, error) {
	if err := e.checkInputs(); err != nil {
		return nil, err
	}
	if e.Group.World <= 1 {
		return e.test(ctx, h, nil)
	}
	// The processes meet first, so that the failure of one ends them all.
	e.Group.Note = func(text string) { h.note(General, "%s", text) }
	exchange, err := e.Group.Join(ctx, e.Dir)
	if err != nil {
		return nil, err
	}
	if e.Group.Rank > 0 {
		h.Note = nil // what is worth knowing is the same in all
	}
	o, err := e.test(ctx, h, exchange)
	if err != nil {
		exchange.Fail(err)
	}
	return o, err
}

// job is an evaluation whose config, images and checkpoints are open.
type job struct {
	*Evaluation
	host     Host
	device   Device
	data     *dataset.Dataset
	batch    int
	pipeline *preprocess.Pipeline
	weights  *weights.Set
	other    *weights.Set // to compare with, or nil
}

func (e *Evaluation) test(ctx context.Context, h Host, exchange *shard.Gathering) (*Outcome, error) {
	j, err := e.open(h)
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

// compare runs the second checkpoint on the images.
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
func (e *Evaluation) open(h Host) (j *job, err error) {
	r, err := recipe.Load(e.Config, e.Overrides)
	if err != nil {
		return nil, err
	}
	j = &job{Evaluation: e, host: h}
	if err := j.readData(r); err != nil {
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
	if j.weights, err = weights.OpenForm(e.Checkpoint, r.Network, e.EMA); err != nil {
		return nil, err
	}
	h.noteWeights(j.weights, e.EMA)
	if e.Compare == "" {
		return j, nil
	}
	if j.other, err = weights.Open(e.Compare, r.Network, false); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

func (j *job) close() {
	_ = j.weights.Close() // nothing is written to it
	if j.other != nil {
		_ = j.other.Close()
	}
}

// PlaceError is a data set whose files are not where the config says.
type PlaceError struct{ Err error }

func (e *PlaceError) Error() string { return e.Err.Error() }
func (e *PlaceError) Unwrap() error { return e.Err }

// readData reads what the config says of the images.
func (j *job) readData(r *recipe.Recipe) error {
	data, err := r.Data()
	if err != nil {
		return err
	}
	j.batch = data.BatchSize
	if j.pipeline, err = r.Pipeline(); err != nil {
		return err
	}
	j.data, err = data.Open()
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

// checkLabels finds labels that are no class, which only accuracy can count.
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

// scores computes the scores of all images, on one process of several its share of
// them; p is nil in those that are not the first.
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

// predict runs a checkpoint on samples.
func (j *job) predict(ctx context.Context, w *weights.Set, samples []dataset.Sample, profile *eval.Profile) (*eval.Prediction, error) {
	runner, err := j.device.open(ctx, j.host, w.Plan, w, j.pipeline, len(samples), j.batch)
	if err != nil {
		return nil, err
	}
	defer func() { _ = runner.Close() }() // a failure of that changes no result
	if err := w.Verify(); err != nil {
		return nil, err
	}
	add, end := j.host.progress("images", len(samples))
	defer end()
	return eval.Predict(ctx, runner, j.pipeline, samples, eval.Options{
		BatchSize: j.batch, Classes: w.Plan.Head.Classes, SkipBad: j.SkipBad, Progress: add, Profile: profile,
	})
}

// result is what a prediction of the images amounts to. Its classes have the names
// that the checkpoint recorded, as in the original, else the data set's.
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

// doubts are reasons to distrust a result.
func (j *job) doubts(r *report.Result) []string {
	correct, invalid := 0, 0
	for i, label := range r.Labels {
		row := r.Scores[i*len(r.Classes):][:len(r.Classes)]
		if row[0] != row[0] { // softmax makes all of a row NaN, or none
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
