package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"repvgg/internal/dataset"
	"repvgg/internal/preprocess"
	"repvgg/internal/report"
)

// paintAll saves a copy of each sample's image with its prediction, on all
// cores. done is told of each image.
func paintAll(ctx context.Context, p *report.Painter, samples []dataset.Sample, r *report.Result, done func(images int)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	for i := range samples {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			m, err := readImage(&samples[i])
			if err != nil {
				return err
			}
			lines, right := r.Caption(i)
			if err := p.Save(samples[i].Name, m, lines, right); err != nil {
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

// readImage gives a sample's image as it is before the pipeline.
func readImage(s *dataset.Sample) (*preprocess.Image, error) {
	if s.Array != nil {
		return nil, fmt.Errorf("painting image %q: TODO", s.Name)
	}
	data, err := os.ReadFile(s.Path)
	if err != nil {
		return nil, fmt.Errorf("reading image: %w", err)
	}
	m, err := preprocess.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("reading image %q: %w", s.Path, err)
	}
	return m, nil
}
