//go:build !cgo || !unix

package gpu

import (
	"context"
	"errors"
	"fmt"

	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// Runner stands for the one that runs on a GPU, which this build lacks.
type Runner struct{}

var errNoCgo = fmt.Errorf("starting the GPU runner: %w",
	&UnavailableError{Reason: errors.New("this program was built without cgo, which a GPU needs; build it with CGO_ENABLED=1 and a C compiler")})

// New fails.
func New(plan *model.Plan, _ tensor.Source, opts Options) (*Runner, error) {
	if err := opts.check(plan); err != nil {
		return nil, err
	}
	return nil, errNoCgo
}

// Hardware is never called: there is no Runner.
func (r *Runner) Hardware() (gpu, driver, cudnn string) { return "", "", "" }

// Prepare fails.
func (r *Runner) Prepare(context.Context, int, int, int) error { return errNoCgo }

// Run fails.
func (r *Runner) Run(context.Context, []float32, []float32, int, int, int) error { return errNoCgo }

// Capabilities are none.
func (r *Runner) Capabilities() engine.Capabilities { return engine.Capabilities{} }

// Close does nothing.
func (r *Runner) Close() error { return nil }

// Count fails.
func Count() (int, error) { return 0, errNoCgo }

// Peak fails.
func Peak(context.Context, int, engine.Precision) (float64, error) { return 0, errNoCgo }
