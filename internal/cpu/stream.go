package cpu

import (
	"slices"
	"sync/atomic"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/tensor"
)

// stream takes weights from the one goroutine that reads them to the workers that
// pack them, some panels at a time: a network's weights never lie in memory a
// second time, and rows are packed while they are in a cache.
type stream struct {
	jobs    chan func()
	free    chan []float32 // memory to read into
	workers int
	sent    []packed
}

const (
	// readLen is how many values are read at a time, unless a panel has more: enough
	// to hand them on seldom, few enough to stay in the second-level cache.
	readLen = 128 << 10
	// maxPackers is how many workers one reader can keep busy.
	maxPackers = 16
)

// packAll calls read, which sends weights, and packs them on all workers. It returns
// read's error when nothing reads or packs any more.
func (r *Runner) packAll(read func(s *stream) error) error {
	workers := min(r.pool.threads(), maxPackers)
	buffers := workers + 2 // one to read into, one that waits
	s := &stream{jobs: make(chan func(), buffers+workers), free: make(chan []float32, buffers), workers: workers}
	for range buffers {
		s.free <- nil
	}
	var err error
	go func() {
		defer close(s.jobs)
		err = read(s)
	}()
	r.pool.run(r.pool.threads(), func(_, _ int) {
		for job := range s.jobs {
			job()
		}
	})
	r.packed = s.sent
	return err
}

// send reads the weights of a convolution and has them packed.
func (s *stream) send(c packed, src tensor.Source, spec tensor.Spec) error {
	s.sent = append(s.sent, c)
	s.populate(c)
	width := spec.RowLen()
	step := max(1, readLen/(kernel.Lanes*width)) * kernel.Lanes
	for row := 0; row < spec.Rows(); row += step {
		end := min(row+step, spec.Rows())
		values := slices.Grow((<-s.free)[:0], (end-row)*width)[:(end-row)*width]
		if err := src.Rows(values, spec, row, end); err != nil {
			return err
		}
		s.jobs <- func() {
			panel := row / kernel.Lanes
			for rows := range slices.Chunk(values, kernel.Lanes*width) {
				c.Pack(panel, rows)
				panel++
			}
			s.free <- values
		}
	}
	return nil
}

// populate makes the memory of a convolution's packed weights ready, on all workers.
func (s *stream) populate(c packed) {
	var next atomic.Int64
	job := func() {
		for piece := next.Add(1); piece <= int64(c.Pieces()); piece = next.Add(1) {
			c.Populate(int(piece - 1))
		}
	}
	for range min(s.workers, c.Pieces()) {
		s.jobs <- job
	}
}
