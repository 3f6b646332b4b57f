// Package engine is the contract between networks and what runs them: how a
// runner is called, what it may be capable of beyond that, and the checks that
// all runners make.
package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repvgg/internal/model"
)

// Runner runs a network whose weights it holds. Calls may come from several
// goroutines; they wait for one another.
type Runner interface {
	// Run computes n images of h x w. src holds them normalised, each InChannels, h,
	// w; dst takes the plan's OutLen(h, w) values for each: logits, or the last
	// feature map of a plan without a head. When ctx ends, Run returns its error
	// soon, with dst partly written.
	Run(ctx context.Context, dst, src []float32, n, h, w int) error
	// Capabilities are what else the runner can do. They do not change.
	Capabilities() Capabilities
	// Close frees what the runner holds. A second call does nothing.
	Close() error
}

// Capabilities are what a runner can do beyond Run; nil for what it can't.
type Capabilities struct {
	// Kernels names the implementation: an instruction set, a library.
	Kernels string
	// StartBytes begins to compute n images of bytes, each h, w, InChannels, which
	// the runner normalises. It returns before it is done, so that the next batch can
	// be made and copied meanwhile. src has been copied when StartBytes returns; dst
	// holds the results after wait, which must be called.
	StartBytes func(ctx context.Context, dst []float32, src []byte, n, h, w int) (wait func() error, err error)
	// RunQueued is Run, but the network is run so many times before its results are
	// waited for: on a device that works through a queue without the host, that gives
	// more images per second than the latency of single runs.
	RunQueued func(ctx context.Context, dst, src []float32, n, h, w, times int) error
	// Trace turns the times of single layers on or off; Layers are those since it was
	// turned on.
	Trace  func(on bool)
	Layers func() []LayerTime
	// Memory is what the runner holds, in bytes: packed weights, and all in all.
	Memory func() (packed, total int64)
}

// LayerTime is what a layer took in all runs together.
type LayerTime struct {
	// Name is that of a block of the plan, or "head" for pooling and classifying.
	Name string
	// Algorithm of the block's main convolution.
	Algorithm string
	Time      time.Duration
}

// ErrClosed is what a closed runner answers.
var ErrClosed = errors.New("running the network: the runner is closed")

// CheckRun refuses arguments of Run that do not fit together; results and values
// are the lengths of dst and src.
func CheckRun(p *model.Plan, results, values, n, h, w int) error {
	if n < 0 || h < 1 || w < 1 {
		return fmt.Errorf("running the network: want images of at least 1x1, got %d of %dx%d", n, h, w)
	}
	if n == 0 {
		return nil
	}
	// By division, since the product may overflow.
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
