package cpu

import (
	"sync"
	"sync/atomic"
)

// pool is a fixed set of goroutines that share out numbered items of work.
type pool struct {
	wake    []chan struct{} // one for each worker but the caller
	working sync.WaitGroup  // workers inside the current pass
	alive   sync.WaitGroup

	job   func(worker, item int)
	items int64
	next  atomic.Int64
}

// newPool starts threads-1 workers: the caller of run is the remaining one.
func newPool(threads int) *pool {
	p := &pool{wake: make([]chan struct{}, threads-1)}
	p.alive.Add(len(p.wake))
	for i := range p.wake {
		p.wake[i] = make(chan struct{}, 1)
		go func() {
			defer p.alive.Done()
			for range p.wake[i] {
				p.drain(i + 1)
				p.working.Done()
			}
		}()
	}
	return p
}

func (p *pool) threads() int { return len(p.wake) + 1 }

// run calls job for each item, on all workers at once, and returns when all
// calls have. Workers are numbered from 0.
func (p *pool) run(items int, job func(worker, item int)) {
	p.job, p.items = job, int64(items)
	p.next.Store(0)
	helpers := p.wake[:max(0, min(len(p.wake), items-1))]
	p.working.Add(len(helpers))
	for _, wake := range helpers {
		wake <- struct{}{}
	}
	p.drain(0)
	p.working.Wait()
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
	for _, wake := range p.wake {
		close(wake)
	}
	p.alive.Wait()
}
