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
	// Observe, unless nil, is called with what each block gives for each image, as
	// soon as it is computed: to find the range of activations, say. Calls come one at
	// a time, in the order of the blocks for an image, but not of the images. The run
	// waits for them.
	Observe func(Activation)

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

// Runner is an engine.Runner on the host's processor. Close it to end its workers
// and to free its weights, which are not in Go's memory.
type Runner struct {
	mu     sync.Mutex // held while anything below is used
	closed bool

	plan    *model.Plan
	variant *kernel.Variant
	layers  []*layer
	head    *convolution // nil without a head
	packed  []packed     // all that have weights
	limit   int64        // bytes of feature maps

	pool    *pool
	scratch []kernel.Scratch // of each worker
	// executors are one for each worker; shared is one for all together.
	executors []*executor
	shared    *executor

	// batch is what Run is computing. doGroup is the method as a value: making it at
	// each use would allocate.
	batch   batch
	doGroup func(worker, item int)

	tracing   bool
	observe   func(Activation) // nil unless asked for
	observing sync.Mutex       // held by the worker that calls observe
}

var _ engine.Runner = (*Runner)(nil)

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
	r := &Runner{
		plan: plan, variant: opts.variant, limit: MachineMemory() / 2,
		pool: newPool(opts.Threads), scratch: make([]kernel.Scratch, opts.Threads),
	}
	err := r.packAll(func(s *stream) (err error) {
		p := packer{plan: plan, weights: weights, variant: opts.variant, algorithms: opts.algorithms, stream: s}
		r.layers, r.head, err = p.network()
		return err
	})
	if err != nil {
		r.release()
		return nil, err
	}
	for worker := range opts.Threads {
		r.executors = append(r.executors, newExecutor(r, worker))
	}
	r.shared = newExecutor(r, all)
	r.doGroup = r.group
	r.observe = r.oneAtATime(opts.Observe)
	return r, nil
}

// Capabilities are those of engine.Capabilities that need no device.
func (r *Runner) Capabilities() engine.Capabilities {
	return engine.Capabilities{Kernels: r.variant.String(), Trace: r.trace, Layers: r.layerTimes, Memory: r.memory}
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

// release gives the memory of the packed weights back, which takes the kernel a
// while where pages are small, and ends the workers.
func (r *Runner) release() {
	r.pool.run(len(r.packed), func(_, i int) { r.packed[i].Release() })
	r.packed = nil
	r.pool.close()
}

// Run is that of engine.Runner. Memory is allocated only when a call needs more
// than those before it, or another size. When ctx ends, Run returns after the
// current layer.
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
		return r.shared.run(&r.batch, 0, n)
	}
	return r.byGroups(&r.batch)
}

// batch is the arguments of Run.
type batch struct {
	ctx      context.Context
	dst, src []float32
	n, h, w  int
	group    int // images that a worker takes
}

// images are n of the batch's, from the given one on; results is what Run gives
// for them.
func (b *batch) images(first, n int) []float32  { return part(b.src, b.n, first, n) }
func (b *batch) results(first, n int) []float32 { return part(b.dst, b.n, first, n) }

// part is n of so many equal parts of x.
func part(x []float32, of, first, n int) []float32 {
	size := len(x) / of
	return x[first*size:][:n*size]
}

// together reports whether all workers compute n images layer by layer. Groups of
// their own are faster unless a sixth of the workers' time, or more, would be
// spent waiting for the others.
func (r *Runner) together(n int) bool {
	threads := r.pool.threads()
	idle := ceilDiv(n, threads)*threads - n
	return 6*idle > n
}

// maxGroup is how many images a worker takes through the network at once:
// enough for the weights of the late layers to be read once for many tiles.
const maxGroup = 16

// byGroups gives each worker groups of images.
func (r *Runner) byGroups(b *batch) error {
	threads := r.pool.threads()
	rounds := ceilDiv(b.n, threads*maxGroup)
	b.group = ceilDiv(b.n, threads*rounds)
	for _, e := range r.executors {
		if err := e.prepare(b.h, b.w, b.group, 1, r.limit/int64(threads)); err != nil {
			return err
		}
	}
	r.pool.run(ceilDiv(b.n, b.group), r.doGroup)
	return b.ctx.Err()
}

// group takes one group of the batch through the network.
func (r *Runner) group(worker, item int) {
	b := &r.batch
	// An error is the context's: byGroups finds it there.
	_ = r.executors[worker].run(b, item*b.group, min((item+1)*b.group, b.n))
}

// ceilDiv rounds the quotient up.
func ceilDiv(a, b int) int { return (a + b - 1) / b }
