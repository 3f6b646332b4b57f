package main

import (
	"fmt"

	"repvgg/internal/dataset"
	"repvgg/internal/eval"
	"repvgg/internal/metrics"
	"repvgg/internal/report"
	"repvgg/internal/tensor"
	"repvgg/internal/weights"
)

// mostDiffering is how many images that differ --compare prints.
const mostDiffering = 20

// run computes the scores, on one process of several its share of them, and on
// the first prints and writes what was asked for.
func (e *evaluation) run() error {
	if e.group.World == 1 {
		p, err := e.predict(e.ckpt, e.data.Samples)
		if err != nil {
			return err
		}
		return e.report(p)
	}
	scores, err := e.share()
	if err != nil || e.group.Rank > 0 {
		return err
	}
	if err := e.exchange.Close(); err != nil {
		return err
	}
	all := &eval.Prediction{Scores: scores, Samples: make([]int, len(e.data.Samples))}
	for i := range all.Samples {
		all.Samples[i] = i
	}
	return e.report(all)
}

// share predicts this process's share of the images and gathers all.
func (e *evaluation) share() ([]float32, error) {
	var own []dataset.Sample
	for _, i := range e.group.Indices(len(e.data.Samples)) {
		own = append(own, e.data.Samples[i])
	}
	p, err := e.predict(e.ckpt, own)
	if err != nil {
		return nil, err
	}
	return e.exchange.Gather(e.cmd.Context(), p.Scores, e.plan.Head.Classes, len(e.data.Samples))
}

// predict runs a checkpoint on samples.
func (e *evaluation) predict(ckpt *weights.Set, samples []dataset.Sample) (*eval.Prediction, error) {
	runner, err := e.newRunner(ckpt.Plan, tensor.Interruptible(e.cmd.Context(), ckpt), len(samples))
	if err != nil {
		return nil, err
	}
	defer func() { _ = runner.Close() }() // a failure of that changes no result
	if err := ckpt.Verify(); err != nil {
		return nil, err
	}
	bar := newProgress(e.cmd, len(samples), "images")
	defer bar.end()
	opts := eval.Options{BatchSize: e.batchSize, Classes: ckpt.Plan.Head.Classes, SkipBad: e.settings.SkipBadImages, Progress: bar.add}
	if e.settings.ProfileInput {
		opts.Profile = new(eval.Profile)
	}
	p, err := eval.Predict(e.cmd.Context(), runner, e.pipeline, samples, opts)
	if err == nil && opts.Profile != nil && e.group.Rank == 0 {
		bar.end()
		fmt.Fprintf(e.cmd.OutOrStdout(), "\npipeline: %s\n%s\n", e.pipeline, opts.Profile)
	}
	return p, err
}

// result is what a prediction of the images amounts to.
func (e *evaluation) result(p *eval.Prediction) (*report.Result, error) {
	r := &report.Result{Scores: p.Scores, Classes: e.classNames()}
	for _, i := range p.Samples {
		r.Filenames = append(r.Filenames, e.data.Samples[i].Name)
		r.Labels = append(r.Labels, e.data.Samples[i].Label)
	}
	if len(e.settings.Metrics) == 0 {
		return r, nil
	}
	var err error
	r.Metrics, err = metrics.Evaluate(r.Scores, len(r.Classes), r.Labels, e.settings.Metrics, e.options)
	return r, err
}

// report prints and writes what was asked for.
func (e *evaluation) report(p *eval.Prediction) error {
	r, err := e.result(p)
	if err != nil {
		return err
	}
	if len(p.Bad) > 0 {
		note(e.cmd, "%d of %d images can't be used and are left out of all results:", len(p.Bad), len(e.data.Samples))
		for _, b := range p.Bad {
			note(e.cmd, "%v", b.Err)
		}
	}
	out := e.cmd.OutOrStdout()
	for _, m := range r.Metrics {
		fmt.Fprintf(out, "\n%s : %s\n", m.Key, metrics.Format(m))
		if m.Note != "" {
			note(e.cmd, "%s", m.Note)
		}
	}
	e.warnOfChance(r)
	s := e.settings
	if s.Out != "" {
		fmt.Fprintf(out, "\ndumping results to %s\n", s.Out)
		if err := r.Write(s.Out, e.items); err != nil {
			return err
		}
	}
	if s.Confusion != "" {
		c, err := report.NewConfusion(r)
		if err != nil {
			return err
		}
		if err := c.Write(s.Confusion); err != nil {
			return err
		}
	}
	if s.PerClass != "" {
		if err := report.WritePerClass(s.PerClass, r); err != nil {
			return err
		}
	}
	if err := e.paint(p.Samples, r); err != nil {
		return err
	}
	return e.compare(r)
}

// warnOfChance says so if scores are no numbers, or if the accuracy is what
// guessing gives.
func (e *evaluation) warnOfChance(r *report.Result) {
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
		note(e.cmd, "the scores of %d of %d images are NaN: the checkpoint holds weights that are not finite, or too large", invalid, len(r.Labels))
		return
	}
	if w := e.data.ChanceWarning(correct, len(r.Labels), len(r.Classes)); w != "" {
		note(e.cmd, "%s", w)
	}
}

// compare runs the other checkpoint, if there is one, and prints how it differs.
func (e *evaluation) compare(r *report.Result) error {
	if e.other == nil {
		return nil
	}
	p, err := e.predict(e.other, e.data.Samples)
	if err != nil {
		return err
	}
	other, err := e.result(p)
	if err != nil {
		return err
	}
	c, err := report.Compare(e.ckpt.File.Path, r, e.other.File.Path, other)
	if err != nil {
		return err
	}
	out := e.cmd.OutOrStdout()
	fmt.Fprintln(out)
	if err := c.WriteText(out, mostDiffering); err != nil {
		return err
	}
	if e.settings.CompareOut == "" {
		return nil
	}
	return c.Write(e.settings.CompareOut)
}

// paint writes the images with their predictions for --show-dir.
func (e *evaluation) paint(samples []int, r *report.Result) error {
	if e.settings.ShowDir == "" {
		return nil
	}
	p, err := report.NewPainter(e.settings.ShowDir)
	if err != nil {
		return err
	}
	bar := newProgress(e.cmd, len(r.Labels), "painted")
	err = e.paintAll(p, samples, r, bar.add)
	bar.end()
	if cerr := p.Close(); err == nil {
		err = cerr
	}
	return err
}

// classNames are the names that predictions are given: the checkpoint's, as in
// the original, else the data set's, else the labels themselves.
func (e *evaluation) classNames() []string {
	n := e.plan.Head.Classes
	for _, names := range [][]string{e.ckpt.File.Classes, e.data.Classes} {
		if len(names) == n {
			return names
		}
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	return names
}
