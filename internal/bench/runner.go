package bench

import (
	"repvgg/internal/engine"
	"repvgg/internal/model"
)

// Subject is a row to be measured.
type Subject struct {
	// Row says what it is, with the figures that are counted.
	Row Row
	// Plan is the network in the row's form.
	Plan *model.Plan
	// Open makes the runner; its memory is held until the rows that are
	// measured in turns with it are done.
	Open func() (engine.Runner, error)
}
