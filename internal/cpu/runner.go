package cpu

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// Weights gives the values of a tensor of the plan, dense and row-major. New
// neither changes nor keeps the slice.
type Weights func(spec tensor.Spec) ([]float32, error)

// Options of a Runner.
type Options struct {
	// Threads is how many run at once; 0 means GOMAXPROCS.
	Threads int

	// variant is the kernels' implementation, for tests; nil means the fastest.
	variant *kernel.Variant
}

const maxThreads = 1024

// Runner runs a network. Close it to end its workers. Calls may come from
// several goroutines; they wait for one another.
type Runner struct {
	mu     sync.Mutex
	closed bool

	plan    *model.Plan
	variant *kernel.Variant
	layers  []*layer
	head    *linear // nil without a head
	pool    *pool
	scratch []kernel.Scratch // for each worker
	memory  memory
	pass    pass
	// The passes as values: making them at each use would allocate.
	convolve, average, excite, gate, classify func(worker, item int)
}

// New packs the weights of the blocks that the plan's result depends on and
// starts the workers.
func New(plan *model.Plan, weights Weights, opts Options) (*Runner, error) {
	if err := checkPlan(plan); err != nil {
		return nil, err
	}
	if opts.Threads < 0 || opts.Threads > maxThreads {
		return nil, fmt.Errorf("starting the CPU runner: want 1 to %d threads, or 0 for all cores, got %d", maxThreads, opts.Threads)
	}
	threads := opts.Threads
	if threads == 0 {
		threads = min(runtime.GOMAXPROCS(0), maxThreads)
	}
	r := &Runner{plan: plan, variant: opts.variant, scratch: make([]kernel.Scratch, threads)}
	if r.variant == nil {
		r.variant = kernel.Variants()[0]
	}
	p := packer{form: plan.Form, weights: weights, variant: r.variant}
	for i := range plan.Blocks[:plan.Depth] {
		l, err := p.block(&plan.Blocks[i])
		if err != nil {
			return nil, fmt.Errorf("packing block %q: %w", plan.Blocks[i].Name, err)
		}
		r.layers = append(r.layers, l)
	}
	if h := plan.Head; h != nil {
		r.head = &linear{}
		var err error
		if r.head.weight, err = p.values(tensor.Spec{Name: model.HeadWeight, Shape: []int{h.Classes, h.Features}}); err != nil {
			return nil, fmt.Errorf("packing the head: %w", err)
		}
		if r.head.bias, err = p.values(tensor.Spec{Name: model.HeadBias, Shape: []int{h.Classes}}); err != nil {
			return nil, fmt.Errorf("packing the head: %w", err)
		}
	}
	r.convolve, r.average, r.excite, r.gate, r.classify = r.convolveItem, r.poolItem, r.exciteItem, r.gateItem, r.classifyItem
	r.pool = newPool(threads)
	return r, nil
}

// checkPlan refuses a plan whose blocks do not fit together.
func checkPlan(p *model.Plan) error {
	if p.Depth < 1 || p.Depth > len(p.Blocks) {
		return fmt.Errorf("packing the network: want 1 to %d blocks, got %d", len(p.Blocks), p.Depth)
	}
	channels := p.InChannels
	for i := range p.Blocks[:p.Depth] {
		b := &p.Blocks[i]
		if b.In != channels {
			return fmt.Errorf("packing block %q: it takes %d channels, but there are %d", b.Name, b.In, channels)
		}
		if err := conv3x3(b).Check(); err != nil {
			return fmt.Errorf("packing block %q: %w", b.Name, err)
		}
		if b.Identity && (b.In != b.Out || b.Stride != 1) {
			return fmt.Errorf("packing block %q: an identity branch needs equal channels and stride 1", b.Name)
		}
		channels = b.Out
	}
	if p.Head != nil && (p.Head.Features != channels || p.Head.Classes < 1) {
		return fmt.Errorf("packing the head: it takes %d features to %d classes, but there are %d channels", p.Head.Features, p.Head.Classes, channels)
	}
	return nil
}

// reserveScratch makes room for images of h x w.
func (r *Runner) reserveScratch(h, w int) {
	for _, l := range r.layers {
		for i := range r.scratch {
			r.scratch[i].Reserve(l.conv3x3, h, w)
			if l.conv1x1 != nil {
				r.scratch[i].Reserve(l.conv1x1, h, w)
			}
		}
		h, w = l.OutSize(h), l.OutSize(w)
	}
}

// Plan is the network that r runs.
func (r *Runner) Plan() *model.Plan { return r.plan }

// Close ends the workers. A second call does nothing.
func (r *Runner) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.pool.close()
	}
	return nil
}

// Run computes n images of h x w. src holds them normalised, each InChannels,
// h, w; dst takes Plan().OutLen(h, w) values for each: logits, or the last
// feature map of a plan without a head. Memory is allocated only when a call
// needs more than those before it. When ctx ends, Run returns its error after
// the current layer, with dst partly written.
func (r *Runner) Run(ctx context.Context, dst, src []float32, n, h, w int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errors.New("running the network: the runner is closed")
	}
	if n < 0 || h < 1 || w < 1 {
		return fmt.Errorf("running the network: want images of at least 1x1, got %d of %dx%d", n, h, w)
	}
	if n == 0 {
		return ctx.Err()
	}
	// By division, since the product may overflow.
	if in := len(src) / n / r.plan.InChannels / h; in != w || n*r.plan.InChannels*h*w != len(src) {
		return fmt.Errorf("running the network: %d values are not %d images of %dx%dx%d", len(src), n, r.plan.InChannels, h, w)
	}
	out := r.plan.OutLen(h, w)
	if len(dst)%n != 0 || len(dst)/n != out {
		return fmt.Errorf("running the network: want room for %d x %d results, got %d", n, out, len(dst))
	}
	group, err := r.memory.reserve(r.plan, n, h, w)
	if err != nil {
		return err
	}
	r.reserveScratch(h, w)
	in := r.plan.InChannels * h * w
	for i := 0; i < n; i += group {
		g := min(group, n-i)
		if err := r.forward(ctx, dst[i*out:(i+g)*out], src[i*in:(i+g)*in], g, h, w); err != nil {
			return err
		}
	}
	return nil
}
