package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"repvgg/internal/bench"
	"repvgg/internal/checkpoint"
	"repvgg/internal/convert"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// benchWeights are the weights of all networks: random, or of one checkpoint.
type benchWeights struct {
	path string
	// file is the checkpoint, of a form; nil with random weights.
	file *checkpoint.File
	form model.Form
	// fused is the deploy form of a training checkpoint, if it is needed.
	fused       *checkpoint.File
	removeFused func()
}

// openBenchWeights opens the checkpoint, if there is one, and fuses it if the
// deploy form of a training checkpoint is to be measured.
func openBenchWeights(cmd *cobra.Command, s *settings, networks []benchNetwork) (*benchWeights, error) {
	w := &benchWeights{path: s.Checkpoint}
	if s.Checkpoint == "" {
		return w, nil
	}
	if len(networks) > 1 {
		return nil, usageError{fmt.Errorf("--checkpoint %s: it holds the weights of one network, but %d are to be measured; name one config", s.Checkpoint, len(networks))}
	}
	if err := w.open(cmd, s, &networks[0]); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *benchWeights) open(cmd *cobra.Command, s *settings, n *benchNetwork) error {
	file, plan, err := convert.OpenFor(n.plan, w.path, s.UseEMA)
	if err != nil {
		return err
	}
	form := plan.Form
	w.file, w.form = file, form
	noteCheckpoint(cmd, s, file)
	if form == model.Deploy && slices.Contains(n.forms, model.Train) {
		if len(s.Form) > 0 {
			return fmt.Errorf("checkpoint %q holds the deploy form, from which the train form can't be had back; measure --form deploy", w.path)
		}
		note(cmd, "checkpoint %q holds the deploy form: only that is measured", w.path)
		n.forms = []model.Form{model.Deploy}
	}
	if form == model.Deploy || !slices.Contains(n.forms, model.Deploy) || s.Runs == 0 {
		return nil
	}
	w.fused, w.removeFused, err = convert.Fuse(cmd.Context(), plan, file)
	return err
}

// fileOf is the file that has the weights of a form; nil if none has.
func (w *benchWeights) fileOf(form model.Form) *checkpoint.File {
	switch {
	case w.file != nil && form == w.form:
		return w.file
	case w.fused != nil && form == model.Deploy:
		return w.fused
	}
	return nil
}

// of are the weights of a plan.
func (w *benchWeights) of(p *model.Plan) func(tensor.Spec) ([]float32, error) {
	if file := w.fileOf(p.Form); file != nil {
		return func(s tensor.Spec) ([]float32, error) { return file.Float32(s.Name) }
	}
	return bench.RandomWeights(p)
}

// verify reports damage of the file that shows only when all of it was read.
func (w *benchWeights) verify(p *model.Plan) error {
	if file := w.fileOf(p.Form); file != nil {
		return file.Verify()
	}
	return nil
}

// name is what a row says of its weights.
func (w *benchWeights) name() string {
	if w.path == "" {
		return "seeded random"
	}
	return "checkpoint " + w.path
}

func (w *benchWeights) close() {
	if w.file != nil {
		w.file.Close()
	}
	if w.fused != nil {
		w.removeFused()
	}
}
