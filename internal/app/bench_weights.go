package app

import (
	"errors"
	"fmt"
	"slices"

	"repvgg/internal/bench"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/weights"
)

// benchWeights holds the weights to measure with: random ones, or those of one
// checkpoint.
type benchWeights struct {
	path string
	set  *weights.Set // nil with random weights
}

// ErrSeveralNetworks is the error for a checkpoint when several networks are to be
// measured.
var ErrSeveralNetworks = errors.New("it holds the weights of one network, but several are to be measured")

// openWeights opens the checkpoint, if one is given.
func (b *Benchmark) openWeights(h Host, networks []benchNetwork) (*benchWeights, error) {
	w := &benchWeights{path: b.Checkpoint}
	if b.Checkpoint == "" {
		return w, nil
	}
	if len(networks) > 1 {
		return nil, fmt.Errorf("checkpoint %q: %w: %d; name one config", b.Checkpoint, ErrSeveralNetworks, len(networks))
	}
	n := &networks[0]
	var err error
	if w.set, err = weights.Open(w.path, n.plan, b.Choice, b.Ignore...); err != nil {
		return nil, err
	}
	h.noteWeights(w.set, b.Choice)
	if w.set.Plan.Form == model.Deploy && slices.Contains(n.forms, model.Train) {
		if len(b.Forms) > 0 {
			w.close()
			return nil, fmt.Errorf("checkpoint %q holds the deploy form, from which the train form can't be restored; measure only the deploy form", w.path)
		}
		h.note(General, "checkpoint %q holds the deploy form: only this form is measured", w.path)
		n.forms = []model.Form{model.Deploy}
	}
	return w, nil
}

// of returns the weights of a plan. They are fused if the checkpoint has the train
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

// verify checks the file's checksums, which cover only what was read. Call it after
// reading.
func (w *benchWeights) verify() error {
	if w.set == nil {
		return nil
	}
	return w.set.Verify()
}

// name describes the weights in a row.
func (w *benchWeights) name() string {
	if w.path == "" {
		return "seeded random"
	}
	return "checkpoint " + w.path
}

func (w *benchWeights) close() {
	if w.set != nil {
		_ = w.set.Close() // nothing is written to it
	}
}
