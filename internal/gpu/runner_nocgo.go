//go:build !cgo || !unix

package gpu

import (
	"context"
	"errors"

	"repvgg/internal/model"
)

// Runner stands for the one that runs on a GPU, which this build has not.
type Runner struct{ plan *model.Plan }

var errNoCgo = errors.New("starting the GPU runner: this program was built without cgo, which --device cuda needs; build it with CGO_ENABLED=1 and a C compiler, or use --device cpu")

// New says what is missing.
func New(plan *model.Plan, _ Weights, opts Options) (*Runner, error) {
	if err := opts.check(plan); err != nil {
		return nil, err
	}
	return nil, errNoCgo
}

// Variant is never asked for: there is no Runner.
func (r *Runner) Variant() string { return "" }

// Hardware is as Variant.
func (r *Runner) Hardware() (gpu, driver, cudnn string) { return "", "", "" }

// Prepare fails.
func (r *Runner) Prepare(context.Context, int, int, int) error { return errNoCgo }

// RunQueued fails.
func (r *Runner) RunQueued(context.Context, []float32, []float32, int, int, int, int) error {
	return errNoCgo
}

// Run fails.
func (r *Runner) Run(context.Context, []float32, []float32, int, int, int) error { return errNoCgo }

// Trace does nothing.
func (r *Runner) Trace(bool) {}

// Layers are none.
func (r *Runner) Layers() []LayerTime { return nil }

// Bytes are none.
func (r *Runner) Bytes() int64 { return 0 }

// PackedBytes are none.
func (r *Runner) PackedBytes() int64 { return 0 }

// Close does nothing.
func (r *Runner) Close() error { return nil }

// Count fails.
func Count() (int, error) { return 0, errNoCgo }

// Peak fails.
func Peak(context.Context, int, Precision) (float64, error) { return 0, errNoCgo }

// findLibraries says for each why it can't be used.
func findLibraries(environment) Libraries {
	none := Found{Err: errors.New("this program was built without cgo")}
	return Libraries{Driver: none, NVRTC: none, CUDNN: none}
}

// StartBytes fails.
func (r *Runner) StartBytes(context.Context, []float32, []byte, int, int, int) (wait func() error, err error) {
	return nil, errNoCgo
}
