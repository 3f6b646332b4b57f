package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"repvgg/internal/bench"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/weights"
)

// benchWeights are the weights of all networks: random, or of one checkpoint.
type benchWeights struct {
	path string
	set  *weights.Set // nil with random weights
}

// openBenchWeights opens the checkpoint, if there is one.
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
	var err error
	if w.set, err = weights.Open(w.path, n.plan, s.UseEMA); err != nil {
		return err
	}
	form := w.set.Plan.Form
	noteCheckpoint(cmd, s, w.set.File)
	if form == model.Deploy && slices.Contains(n.forms, model.Train) {
		if len(s.Form) > 0 {
			return fmt.Errorf("checkpoint %q holds the deploy form, from which the train form can't be had back; measure --form deploy", w.path)
		}
		note(cmd, "checkpoint %q holds the deploy form: only that is measured", w.path)
		n.forms = []model.Form{model.Deploy}
	}
	return nil
}

// of are the weights of a plan, folded on the way if the checkpoint has the train
// form and the plan the deploy form.
func (w *benchWeights) of(p *model.Plan) tensor.Source {
	switch {
	case w.set == nil:
		return bench.RandomWeights(p)
	case p.Form == model.Deploy:
		return w.set.Deploy()
	}
	return w.set
}

// verify reports damage of the file that shows only when all of it was read.
func (w *benchWeights) verify() error {
	if w.set == nil {
		return nil
	}
	return w.set.Verify()
}

// name is what a row says of its weights.
func (w *benchWeights) name() string {
	if w.path == "" {
		return "seeded random"
	}
	return "checkpoint " + w.path
}

func (w *benchWeights) close() {
	if w.set != nil {
		w.set.Close()
	}
}
