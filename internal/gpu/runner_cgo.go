//go:build cgo && unix

package gpu

/*
#include "driver.h"
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// Runner runs a network on a GPU. Close it to give its memory back. Calls may
// come from several goroutines; they wait for one another.
type Runner struct {
	mu     sync.Mutex
	closed bool

	plan      *model.Plan
	opts      Options
	precision precision // Auto resolved
	widths    []int

	d               *device
	c               *cudnn
	m               *module
	convolver       *convolver
	compute, copies object // streams
	weights         *weights
	table           devptr // Options.Table
	// images are a batch as the first convolution takes it, maps the two arenas of
	// feature maps, side the sums of the train form's branches; sizes are theirs.
	images devptr
	maps   [2]devptr
	side   devptr
	sizes  arenas
	laid   laid // what lies in images

	programs []*program
	slots    [2]slot
	next     int // slot
	limit    int // images at once
	trace    bool
	times    []engine.LayerTime
}

// New finds the libraries, uploads the weights of the blocks that the plan's
// result depends on, and compiles the kernels. The engines for a size of batch
// are chosen when it is first run, which can take a minute; the choice is kept
// (Options.CacheDir).
func New(plan *model.Plan, source tensor.Source, opts Options) (*Runner, error) {
	if err := opts.check(plan); err != nil {
		return nil, err
	}
	return newRunner(plan, source, opts, hostEnvironment())
}

func newRunner(plan *model.Plan, source tensor.Source, opts Options, env environment) (*Runner, error) {
	r := &Runner{plan: plan, opts: opts, limit: opts.MaxBatch}
	if r.limit == 0 {
		r.limit = maxBatch
	}
	if err := r.start(source, env); err != nil {
		r.closed = true
		_ = r.release() // the first error counts
		return nil, fmt.Errorf("starting the GPU runner: %w", err)
	}
	return r, nil
}

// start fills r in; release undoes what was done before an error.
func (r *Runner) start(source tensor.Source, env environment) error {
	var err error
	if r.d, err = openDevice(env, r.opts.GPU); err != nil {
		return err
	}
	if r.precision, err = precision(r.opts.Precision).resolve(r.d.capability); err != nil {
		return err
	}
	r.widths = channelWidths(r.plan, r.precision.size())
	preload(env)
	compiler, err := openCompiler(env, r.d.cuda)
	if err != nil {
		return err
	}
	if r.c, err = openCUDNN(env); err != nil {
		return err
	}
	leave, err := r.d.enter()
	if err != nil {
		return err
	}
	defer leave()
	if r.compute, err = r.d.stream(); err != nil {
		return err
	}
	if r.copies, err = r.d.stream(); err != nil {
		return err
	}
	if err := r.c.start(r.compute); err != nil {
		return err
	}
	if r.m, err = loadModule(r.d, compiler, r.precision); err != nil {
		return err
	}
	if err := r.startEngine(); err != nil {
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

// What cuDNN's engines may use as workspace, and the least that is worth trying.
const (
	workspaceSize    = 512 << 20
	leastWorkspace   = 16 << 20
	workspaceOfTotal = 16 // at most that part of the memory
)

func (r *Runner) startEngine() error {
	on := hardware{GPU: r.d.name, Driver: r.d.version, CUDNN: r.c.version}
	path := ""
	if !r.opts.NoCache {
		var err error
		if path, err = cachePath(r.opts.CacheDir, on); err != nil {
			r.note("the choice of engines is not kept: %v", err)
		}
	}
	choices, err := openTuned(path, on)
	if err != nil {
		r.note("%v", err)
	}
	e := &convolver{d: r.d, c: r.c, m: r.m, precision: r.precision, stream: r.compute, tuned: choices, noTune: r.opts.NoTune, method: r.opts.method, note: r.note}
	r.convolver = e
	if e.start, err = r.d.event(C.RG_EVENT_TIMING); err != nil {
		return err
	}
	if e.stop, err = r.d.event(C.RG_EVENT_TIMING); err != nil {
		return err
	}
	_, total, err := r.d.memory()
	if err != nil {
		return err
	}
	most := min(int64(workspaceSize), total/workspaceOfTotal)
	for size := most; ; size /= 2 {
		e.workspace, err = r.d.alloc(size)
		if err == nil {
			e.workspaceSize, e.cramped = size, size < most
			return nil
		}
		if !isOutOfMemory(err) || size/2 < leastWorkspace {
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
	if r.table, err = r.d.alloc(int64(len(data))); err != nil {
		return err
	}
	return r.d.upload(r.table, data, r.compute)
}

func (r *Runner) note(format string, args ...any) {
	if r.opts.Note != nil {
		r.opts.Note(fmt.Sprintf(format, args...))
	}
}

// Hardware is what r runs on: the name of the GPU, its driver's version, cuDNN's.
func (r *Runner) Hardware() (gpu, driver, cudnn string) {
	return r.d.name, r.d.version, cudnnVersion(r.c.version)
}

// Capabilities are all that a runner can have; images of bytes with Options.Table.
func (r *Runner) Capabilities() engine.Capabilities {
	c := engine.Capabilities{
		Kernels:   fmt.Sprintf("cuDNN %s on %s (driver %s)", cudnnVersion(r.c.version), r.d.name, r.d.version),
		RunQueued: r.RunQueued, Trace: r.Trace, Layers: r.Layers, Memory: r.memory,
	}
	if r.opts.Table != nil {
		c.StartBytes = r.StartBytes
	}
	return c
}

// Close gives everything back. A second call does nothing.
func (r *Runner) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	return r.release()
}

// release frees what start and runs have made, also of a start that failed. Of
// a lost device there is nothing to free.
func (r *Runner) release() error {
	d := r.d
	if d == nil || d.context == nil {
		return nil
	}
	leave, err := d.enter()
	if err == nil {
		defer leave()
		_ = r.drain() // a failure here is the device's loss, which Run has told
	}
	r.dropPrograms()
	r.freeArenas()
	if r.weights != nil {
		r.weights.free(d)
	}
	for i := range r.slots {
		r.slots[i].close(r)
	}
	d.free(&r.table)
	if e := r.convolver; e != nil {
		d.free(&e.workspace)
		d.destroyEvent(&e.start)
		d.destroyEvent(&e.stop)
	}
	if r.m != nil {
		r.m.close()
	}
	if r.c != nil {
		r.c.close(d.lost != nil)
	}
	d.destroyStream(&r.compute)
	d.destroyStream(&r.copies)
	return d.close()
}
