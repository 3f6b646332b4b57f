package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// spins is how often a worker looks for work before it sleeps, some tens of
// microseconds: waking it takes longer than many a layer does.
const spins = 100000

// pool is a fixed set of goroutines that share out numbered items of work.
type pool struct {
	workers []*worker // all but the caller of run
	alive   sync.WaitGroup

	job     func(worker, item int)
	items   int64
	next    atomic.Int64
	pass    atomic.Int64 // counts calls of run; -1: the end
	working atomic.Int64 // workers inside the pass
}

// worker sleeps until it is woken, unless there is work when it looks.
type worker struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [64]byte // workers write their flags often: one cache line each
}

// newPool starts threads-1 workers: the caller of run is the remaining one.
func newPool(threads int) *pool {
	p := &pool{}
	p.alive.Add(threads - 1)
	for i := range threads - 1 {
		w := &worker{wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		go func() {
			defer p.alive.Done()
			for pass := int64(0); ; {
				if pass = p.await(w, pass); pass < 0 {
					return
				}
				p.drain(i + 1)
				p.working.Add(-1)
			}
		}()
	}
	return p
}

func (p *pool) threads() int { return len(p.workers) + 1 }

// await returns the number of the pass after the one that a worker last saw.
func (p *pool) await(w *worker, last int64) int64 {
	for {
		for i := range spins {
			if pass := p.pass.Load(); pass != last {
				return pass
			}
			if i%1024 == 1023 {
				runtime.Gosched()
			}
		}
		w.asleep.Store(true)
		if p.pass.Load() != last && w.asleep.CompareAndSwap(true, false) {
			continue // before it slept; nobody will wake it
		}
		<-w.wake
	}
}

// start lets the workers go into a pass.
func (p *pool) start(pass int64) {
	p.pass.Store(pass)
	for _, w := range p.workers {
		if w.asleep.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
}

// run calls job for each item, on all workers at once, and returns when all
// calls have. Workers are numbered from 0.
func (p *pool) run(items int, job func(worker, item int)) {
	if items < 2 || len(p.workers) == 0 {
		for i := range items {
			job(0, i)
		}
		return
	}
	p.job, p.items = job, int64(items)
	p.next.Store(0)
	p.working.Store(int64(len(p.workers)))
	p.start(p.pass.Load() + 1)
	p.drain(0)
	for i := 1; p.working.Load() > 0; i++ {
		if i%1024 == 0 {
			runtime.Gosched()
		}
	}
}

func (p *pool) drain(worker int) {
	for {
		item := p.next.Add(1) - 1
		if item >= p.items {
			return
		}
		p.job(worker, int(item))
	}
}

// close ends the workers. The pool must be idle.
func (p *pool) close() {
	p.start(-1)
	p.alive.Wait()
}
