package convert

import (
	"context"

	"golang.org/x/sync/errgroup"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/weights"
)

// WriteDeploy writes the deploy form of a checkpoint to path, all tensors as
// float32. For each block, it writes the folded convolution and the tensors that
// are not part of a branch, then those of the head. Tensors are streamed in slices,
// so that memory does not grow with the network. A checkpoint that already has the
// deploy form is written unchanged.
//
// keys gives the names of the tensors. check, unless nil, is called with the
// temporary name of the complete file. If it returns an error, the file is not
// kept. A failed run leaves no file.
func WriteDeploy(ctx context.Context, src *weights.Set, path string, keys *model.KeyMap, check func(tmp string) error) error {
	plan := src.Plan.As(model.Deploy)
	specs, modules := plan.Tensors(), []string(nil)
	if f := plan.Family; f != nil {
		if keys == f.KeyMaps[0] && f.Modules != nil {
			modules = f.Modules(plan)
		}
		specs = keys.Specs(specs)
	}
	dst, err := checkpoint.Create(path, specs, modules)
	if err != nil {
		return err
	}
	defer dst.Abort()
	if err := stream(ctx, src.Deploy(), plan.Tensors(), dst); err != nil {
		return err
	}
	if err := src.Verify(); err != nil {
		return err
	}
	tmp, err := dst.Finish()
	if err != nil {
		return err
	}
	if check != nil {
		if err := check(tmp); err != nil {
			return err
		}
	}
	return dst.Commit()
}

const (
	// sliceLen is the number of values that are folded and written at a time.
	sliceLen = 256 << 10
	// buffers is the number of slices in memory: one being folded, one being written,
	// one waiting.
	buffers = 3
)

// stream writes the tensors of src in order. It reads a slice while the previous
// one is written.
func stream(ctx context.Context, src tensor.Source, specs []tensor.Spec, dst *checkpoint.Writer) error {
	g, ctx := errgroup.WithContext(ctx)
	full, free := make(chan []float32), make(chan []float32, buffers)
	for range buffers {
		free <- nil
	}
	g.Go(func() error {
		for values := range full {
			if err := dst.Write(values); err != nil {
				return err
			}
			free <- values
		}
		return nil
	})
	g.Go(func() error {
		defer close(full)
		for _, spec := range specs {
			rows := max(1, sliceLen/max(1, spec.RowLen()))
			for from := 0; from < spec.Rows(); from += rows {
				if err := read(ctx, src, spec, from, min(from+rows, spec.Rows()), full, free); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return g.Wait()
}

// read takes a free buffer, fills it with rows of a tensor, and passes it on.
func read(ctx context.Context, src tensor.Source, spec tensor.Spec, from, to int, full chan<- []float32, free <-chan []float32) error {
	n := (to - from) * spec.RowLen()
	var values []float32
	select {
	case values = <-free:
	case <-ctx.Done():
		return ctx.Err()
	}
	if cap(values) < n {
		values = make([]float32, n)
	}
	values = values[:n]
	if err := src.Rows(values, spec, from, to); err != nil {
		return err
	}
	select {
	case full <- values:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
