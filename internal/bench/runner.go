package bench

import (
	"repvgg/internal/engine"
	"repvgg/internal/model"
)

// Subject is a row to measure.
type Subject struct {
	// Row describes the subject, with the figures that are counted rather than
	// measured.
	Row Row
	// Plan is the network in the row's form.
	Plan *model.Plan
	// Open makes the runner. It stays open until the subjects that take turns with it
	// are done.
	Open func() (engine.Runner, error)
}
