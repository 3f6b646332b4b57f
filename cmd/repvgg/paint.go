package main

import (
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"repvgg/internal/eval"
	"repvgg/internal/report"
)

// paintAll saves a copy of each image with its prediction, on all cores. samples
// are those that the rows of r are of; done is told of each.
func (e *evaluation) paintAll(p *report.Painter, samples []int, r *report.Result, done func(images int)) error {
	g, ctx := errgroup.WithContext(e.cmd.Context())
	g.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	for row, sample := range samples {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			m, err := eval.Open(e.data.Samples[sample])
			if err != nil {
				return err
			}
			lines, right := r.Caption(row)
			if err := p.Save(e.data.Samples[sample].Name, m, lines, right); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			done(1)
			return nil
		})
	}
	return g.Wait()
}
