// Package engine defines the contract for the engines that run networks: the Runner
// interface, a runner's optional capabilities, and the checks that all runners
// share.
package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repvgg/internal/model"
)

// Runner runs a network whose weights it holds. It is safe for concurrent use;
// calls run one at a time.
type Runner interface {
	// Run runs the network on n images of h x w. src holds the normalised images in the
	// order N, InChannels, h, w. dst gets the plan's OutLen(h, w) values for each
	// image: the logits or, for a plan without a head, the last feature map. When ctx
	// ends, Run soon returns its error, and dst may be partly written.
	Run(ctx context.Context, dst, src []float32, n, h, w int) error
	// Capabilities returns what else the runner can do. The result never changes.
	Capabilities() Capabilities
	// Close frees the runner's resources. A second call does nothing.
	Close() error
}

// Capabilities are what a runner can do beyond Run. A nil function means that the
// runner lacks the capability.
type Capabilities struct {
	// Kernels names the implementation: an instruction set or a library.
	Kernels string
	// StartBytes starts to run the network on n images of bytes, in the order N, h, w,
	// InChannels, which the runner normalises. It returns before the run is done, so
	// that the next batch can be prepared and copied meanwhile. src may be reused when
	// StartBytes returns. dst holds the results after wait, which must be called.
	StartBytes func(ctx context.Context, dst []float32, src []byte, n, h, w int) (wait func() error, err error)
	// RunQueued is like Run, but queues the run several times before it waits for the
	// results. On a device that works through a queue without the host, this gives more
	// images per second than single runs.
	RunQueued func(ctx context.Context, dst, src []float32, n, h, w, times int) error
	// Trace turns the timing of layers on or off. Layers returns the times since it was
	// turned on.
	Trace  func(on bool)
	Layers func() []LayerTime
	// Memory returns the memory that the runner holds, in bytes: the packed weights,
	// and the total.
	Memory func() (packed, total int64)
}

// LayerTime is the time of a layer, summed over all runs.
type LayerTime struct {
	// Name is the name of a block of the plan, or "head" for the pooling and the
	// classifier.
	Name string
	// Algorithm is that of the block's main convolution.
	Algorithm string
	Time      time.Duration
}

// ErrClosed is the error of calls to a closed runner.
var ErrClosed = errors.New("running the network: the runner is closed")

// CheckRun returns an error if the arguments of Run do not fit together. results
// and values are the lengths of dst and src.
func CheckRun(p *model.Plan, results, values, n, h, w int) error {
	if n < 0 || h < 1 || w < 1 {
		return fmt.Errorf("running the network: want images of at least 1x1, got %d of %dx%d", n, h, w)
	}
	if n == 0 {
		return nil
	}
	// Divide, because the product may overflow.
	if in := values / n / p.InChannels / h; in != w || n*p.InChannels*h*w != values {
		return fmt.Errorf("running the network: %d values are not %d images of %dx%dx%d", values, n, p.InChannels, h, w)
	}
	out := p.OutLen(h, w)
	if results%n != 0 || results/n != out {
		return fmt.Errorf("running the network: want room for %d x %d results, got %d", n, out, results)
	}
	return nil
}

// Narrow rounds values to float32.
func Narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}
