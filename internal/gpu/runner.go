//go:build cgo && unix

package gpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// Runner runs a network on a GPU. Close it to free the GPU's memory. Calls may come
// from several goroutines; they wait for one another.
type Runner struct {
	mu     sync.Mutex
	closed bool

	plan      *model.Plan
	opts      Options
	precision precision // Auto resolved
	widths    []int     // channelWidths

	d               *cuda.Device
	dnn             *cuda.CUDNN
	m               *module
	convolver       *convolver
	compute, copies *cuda.Stream
	weights         *deviceWeights
	table           cuda.Ptr // Options.Table
	// images are a batch as the first convolution takes it. maps are the two buffers
	// that feature maps use in turns. side is the sum of the train form's other
	// branches. sizes are the sizes of all four.
	images cuda.Ptr
	maps   [2]cuda.Ptr
	side   cuda.Ptr
	sizes  arenas
	loaded batch // the batch in images

	programs []*program
	slots    [2]slot
	next     int // the slot of the next batch
	limit    int // images at once
	trace    bool
	times    []engine.LayerTime
}

// Count is the number of GPUs.
func Count() (int, error) {
	count, err := cuda.Count(cuda.HostEnvironment())
	if err != nil {
		return 0, fmt.Errorf("counting the GPUs: %w", err)
	}
	return count, nil
}

// New finds the libraries, compiles the kernels and uploads the weights of the
// blocks that the plan's result depends on. The engines for a size of batch are
// chosen when it is first run, which can take a minute. The choice is kept in the
// user's cache folder.
func New(plan *model.Plan, source tensor.Source, opts Options) (*Runner, error) {
	if err := opts.check(plan); err != nil {
		return nil, err
	}
	var err error
	if opts.cacheDir, err = cacheFolder(); err != nil && opts.Note != nil {
		opts.Note(fmt.Sprintf("the choice of engines is not kept: %v", err))
	}
	return newRunner(plan, source, opts, cuda.HostEnvironment())
}

func newRunner(plan *model.Plan, source tensor.Source, opts Options, env cuda.Environment) (*Runner, error) {
	r := &Runner{plan: plan, opts: opts, limit: opts.maxBatch}
	if r.limit == 0 {
		r.limit = maxImages
	}
	if err := r.start(source, env); err != nil {
		r.closed = true
		_ = r.release() // the first error counts
		return nil, fmt.Errorf("starting the GPU runner: %w", err)
	}
	return r, nil
}

// start fills r in. After an error release undoes what it did.
func (r *Runner) start(source tensor.Source, env cuda.Environment) error {
	var err error
	if r.d, err = cuda.OpenDevice(env, r.opts.GPU); err != nil {
		return err
	}
	if r.precision, err = precision(r.opts.Precision).resolve(r.d.Capability); err != nil {
		return err
	}
	r.widths = channelWidths(r.plan, r.precision.size())
	cuda.Preload(env)
	compiler, err := cuda.OpenCompiler(env, r.d.CUDA)
	if err != nil {
		return err
	}
	if r.dnn, err = cuda.OpenCUDNN(env); err != nil {
		return err
	}
	leave, err := r.d.Enter()
	if err != nil {
		return err
	}
	defer leave()
	if r.compute, err = r.d.NewStream(); err != nil {
		return err
	}
	if r.copies, err = r.d.NewStream(); err != nil {
		return err
	}
	if err := r.dnn.Start(r.compute); err != nil {
		return err
	}
	if r.m, err = loadModule(r.d, compiler, r.precision); err != nil {
		return err
	}
	if err := r.startConvolver(); err != nil {
		return err
	}
	for i := range r.slots {
		if err := r.slots[i].create(r); err != nil {
			return err
		}
	}
	if err := r.uploadTable(); err != nil {
		return err
	}
	r.weights, err = uploadWeights(r, source)
	return err
}

// The bytes of workspace for cuDNN's engines, and the least that is worth trying.
const (
	workspaceSize    = 512 << 20
	leastWorkspace   = 16 << 20
	workspaceOfTotal = 16 // at most this fraction of the device's memory: 1/16
)

func (r *Runner) startConvolver() error {
	on := hardware{GPU: r.d.Name, Driver: r.d.Driver, CUDNN: r.dnn.Version()}
	path := ""
	if r.opts.cacheDir != "" {
		path = cachePath(r.opts.cacheDir, on)
	}
	choices, err := openChoices(path, on)
	if err != nil {
		r.note("%v", err)
	}
	v := &convolver{
		d: r.d, dnn: r.dnn, m: r.m, precision: r.precision, stream: r.compute,
		choices: choices, noTune: r.opts.noTune, method: r.opts.method, note: r.note,
	}
	r.convolver = v
	if v.start, err = r.d.NewEvent(true); err != nil {
		return err
	}
	if v.stop, err = r.d.NewEvent(true); err != nil {
		return err
	}
	_, total, err := r.d.Memory()
	if err != nil {
		return err
	}
	most := min(int64(workspaceSize), total/workspaceOfTotal)
	for size := most; ; size /= 2 {
		v.workspace, err = r.d.Alloc(size)
		if err == nil {
			v.workspaceSize, v.workspaceShort = size, size < most
			return nil
		}
		if !cuda.IsOutOfMemory(err) || size/2 < leastWorkspace {
			return err
		}
	}
}

func (r *Runner) uploadTable() error {
	if r.opts.Table == nil {
		return nil
	}
	data := make([]byte, 0, 4*len(r.opts.Table))
	for _, v := range r.opts.Table {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	var err error
	if r.table, err = r.d.Alloc(int64(len(data))); err != nil {
		return err
	}
	return r.compute.Upload(r.table, data)
}

func (r *Runner) note(format string, args ...any) {
	if r.opts.Note != nil {
		r.opts.Note(fmt.Sprintf(format, args...))
	}
}

// Hardware is the name of the GPU, the version of its driver, and cuDNN's.
func (r *Runner) Hardware() (gpu, driver, cudnn string) {
	return r.d.Name, r.d.Driver, r.dnn.VersionName()
}

// Capabilities are all that a runner can have. Images of bytes need Options.Table.
func (r *Runner) Capabilities() engine.Capabilities {
	gpu, driver, cudnn := r.Hardware()
	c := engine.Capabilities{
		Kernels:   fmt.Sprintf("cuDNN %s on %s (driver %s)", cudnn, gpu, driver),
		RunQueued: r.RunQueued, Trace: r.Trace, Layers: r.Layers, Memory: r.memory,
	}
	if r.opts.Table != nil {
		c.StartBytes = r.StartBytes
	}
	return c
}

// Close frees everything. A second call does nothing.
func (r *Runner) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	return r.release()
}

// release frees what start and runs have made, also after a start that failed. On
// a lost device nothing is freed.
func (r *Runner) release() error {
	d := r.d
	if d == nil || !d.Open() {
		return nil
	}
	leave, err := d.Enter()
	if err == nil {
		defer leave()
		_ = r.drain() // a failure means a lost device, which Run reports
	}
	r.dropPrograms()
	r.freeArenas()
	if r.weights != nil {
		r.weights.free(d)
	}
	for i := range r.slots {
		r.slots[i].close(d)
	}
	d.Free(&r.table)
	if v := r.convolver; v != nil {
		d.Free(&v.workspace)
		v.start.Close()
		v.stop.Close()
	}
	if r.m != nil {
		r.m.Close()
	}
	if r.dnn != nil {
		r.dnn.Close(d.Lost())
	}
	r.compute.Close()
	r.copies.Close()
	return d.Close()
}
