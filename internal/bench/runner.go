package bench

import (
	"context"
	"time"

	"repvgg/internal/model"
)

// Runner is what is measured.
type Runner interface {
	// Run computes dst, the results for n images of h x w, from src.
	Run(ctx context.Context, dst, src []float32, n, h, w int) error
	// Variant names the implementation of the kernels.
	Variant() string
	// Bytes is the memory that the runner holds: packed weights, activations
	// and scratch. 0 means that it is not known.
	Bytes() int64
	// PackedBytes is the packed weights' part of Bytes.
	PackedBytes() int64
	// Trace turns the times of single layers on or off.
	Trace(on bool)
	// Layers are the times since Trace(true), nil if they are not known.
	Layers() []LayerTime
	Close() error
}

// Queuer is a Runner on a device that works through a queue of runs without the
// host: it then does more images per second than the latency of single runs tells.
type Queuer interface {
	// RunQueued is Run, but the network is run so many times before its results
	// are waited for.
	RunQueued(ctx context.Context, dst, src []float32, n, h, w, times int) error
}

// LayerTime is what a layer took in all runs together.
type LayerTime struct {
	// Name is that of a block of the plan, or "head".
	Name      string
	Algorithm string
	Time      time.Duration
}

// Subject is a row to be measured.
type Subject struct {
	// Row says what it is, with the figures that are counted.
	Row Row
	// Plan is the network in the row's form.
	Plan *model.Plan
	// Open makes the runner; its memory is held until the rows that are
	// measured in turns with it are done.
	Open func() (Runner, error)
}
