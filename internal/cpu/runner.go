package cpu

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// Options of a Runner.
type Options struct {
	// Threads is how many run at once; 0 means GOMAXPROCS.
	Threads int
	// Precision is one of Precisions.
	Precision engine.Precision
	// Height and Width are the size that images will have; 0 means 224. Others
	// can be run, though perhaps not as fast.
	Height, Width int
	// LowLatency chooses the algorithms that are fastest for single images.
	// Results then differ from those without, by rounding.
	LowLatency bool

	// variant is the kernels' implementation, for tests; nil means the fastest.
	variant *kernel.Variant
	// packedBytes is what packed weights may take; 0 means a quarter of the
	// machine's memory.
	packedBytes int64
	// algorithms are those of the blocks, for tests; nil means choose.
	algorithms []algorithm
}

// MaxThreads is the most threads that a Runner takes.
const MaxThreads = 1024

// defaultSize is the height and width of images unless the options say another.
const defaultSize = 224

// Runner runs a network. Close it to end its workers and to free its weights. Calls may come from
// several goroutines; they wait for one another.
type Runner struct {
	mu     sync.Mutex
	closed bool

	plan    *model.Plan
	variant *kernel.Variant
	layers  []*layer
	head    *kernel.Conv  // nil without a head
	packed  []convolution // all that have weights
	pool    *pool
	scratch []kernel.Scratch // for each worker
	// lanes are one for each worker, and one for all together.
	lanes  []*lane
	shared *lane
	batch  batch
	trace  bool
	limit  int64 // bytes of feature maps
	// doGroup is the method as a value: making it at each use would allocate.
	doGroup func(worker, item int)
}

// New packs the weights of the blocks that the plan's result depends on and
// starts the workers.
func New(plan *model.Plan, weights tensor.Source, opts Options) (*Runner, error) {
	if err := plan.Check(); err != nil {
		return nil, err
	}
	if opts.Threads < 0 || opts.Threads > MaxThreads {
		return nil, fmt.Errorf("starting the CPU runner: want 1 to %d threads, or 0 for all cores, got %d", MaxThreads, opts.Threads)
	}
	if opts.Threads == 0 {
		opts.Threads = min(runtime.GOMAXPROCS(0), MaxThreads)
	}
	if opts.variant == nil {
		opts.variant = kernel.Variants()[0]
	}
	if err := supportedBy(opts.Precision, opts.variant); err != nil {
		return nil, fmt.Errorf("starting the CPU runner: %w", err)
	}
	if opts.algorithms == nil {
		opts.algorithms = choose(plan, opts)
	}
	r := &Runner{plan: plan, variant: opts.variant, scratch: make([]kernel.Scratch, opts.Threads), pool: newPool(opts.Threads), limit: MachineMemory() / 2}
	err := packAll(r.pool, func(s *stream) error {
		p := packer{plan: plan, weights: weights, variant: opts.variant, algorithms: opts.algorithms, stream: s}
		defer func() { r.packed = s.sent }()
		return p.read(r)
	})
	if err != nil {
		r.release()
		return nil, err
	}
	r.doGroup = r.group
	r.shared = newLane(r, -1)
	for worker := range opts.Threads {
		r.lanes = append(r.lanes, newLane(r, worker))
	}
	return r, nil
}

// Plan is the network that r runs.
func (r *Runner) Plan() *model.Plan { return r.plan }

// Capabilities are all but those of a device apart from the processor.
func (r *Runner) Capabilities() engine.Capabilities {
	return engine.Capabilities{Kernels: r.variant.String(), Trace: r.Trace, Layers: r.Layers, Memory: r.memory}
}

// Close ends the workers and frees the weights. A second call does nothing.
func (r *Runner) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.release()
	}
	return nil
}

// release gives the packed weights' memory back, which takes all workers a while,
// and ends them.
func (r *Runner) release() {
	r.pool.run(len(r.packed), func(_, i int) { r.packed[i].Release() })
	r.packed = nil
	r.pool.close()
}

// Run computes n images of h x w. src holds them normalised, each InChannels,
// h, w; dst takes OutLen(h, w) values of the plan for each: logits, or the last
// feature map of a plan without a head. Memory is allocated only when a call
// needs more than those before it, or another size. When ctx ends, Run returns
// its error after the current layer, with dst partly written.
func (r *Runner) Run(ctx context.Context, dst, src []float32, n, h, w int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return engine.ErrClosed
	}
	if err := engine.CheckRun(r.plan, len(dst), len(src), n, h, w); err != nil {
		return err
	}
	if n == 0 {
		return ctx.Err()
	}
	if err := r.checkSize(h, w); err != nil {
		return err
	}
	r.batch = batch{ctx: ctx, dst: dst, src: src, n: n, h: h, w: w}
	defer func() { r.batch = batch{} }() // lets go of the caller's memory
	if r.together(n) {
		if err := r.shared.prepare(h, w, n, n, r.limit); err != nil {
			return err
		}
		return r.shared.all(&r.batch, 0, n)
	}
	return r.byGroups(&r.batch)
}

// together reports whether all workers compute n images layer by layer. Groups of
// their own are faster unless a sixth of the workers' time, or more, would be
// spent waiting for the others.
func (r *Runner) together(n int) bool {
	threads := len(r.lanes)
	idle := ceilDiv(n, threads)*threads - n
	return 6*idle > n
}

// batch is the arguments of Run.
type batch struct {
	ctx      context.Context
	dst, src []float32
	n, h, w  int
	group    int // images that a worker takes
}

// maxGroup is how many images a worker takes through the network at once:
// enough for the weights of the late layers to be read once for many tiles.
const maxGroup = 16

// byGroups gives each worker groups of images.
func (r *Runner) byGroups(b *batch) error {
	rounds := ceilDiv(b.n, len(r.lanes)*maxGroup)
	b.group = ceilDiv(b.n, len(r.lanes)*rounds)
	for _, l := range r.lanes {
		if err := l.prepare(b.h, b.w, b.group, 1, r.limit/int64(len(r.lanes))); err != nil {
			return err
		}
	}
	r.pool.run(ceilDiv(b.n, b.group), r.doGroup)
	return b.ctx.Err()
}

// ceilDiv rounds the quotient up.
func ceilDiv(a, b int) int { return (a + b - 1) / b }
