package convert

import (
	"context"
	"os"
	"path/filepath"
	"runtime"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
)

// Fused is the deploy form of a training checkpoint, in a temporary folder that
// goes when it is closed.
type Fused struct {
	*checkpoint.File
	dir string
}

// Fuse fuses a checkpoint that matches the train form of plan.
func Fuse(ctx context.Context, plan *model.Plan, src *checkpoint.File) (*Fused, error) {
	dir, err := os.MkdirTemp("", "repvgg-")
	if err != nil {
		return nil, err
	}
	f := &Fused{dir: dir}
	path := filepath.Join(dir, "deploy.pth")
	err = Reparameterize(ctx, plan.As(model.Train), src, path, Namings[0], nil)
	if err == nil {
		f.File, err = checkpoint.Open(path)
	}
	if err != nil || runtime.GOOS != "windows" {
		// It is read through the open file: an end by a signal leaves nothing.
		_ = os.RemoveAll(dir)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Close closes the file, which goes.
func (f *Fused) Close() error {
	err := f.File.Close()
	if rerr := os.RemoveAll(f.dir); err == nil {
		err = rerr
	}
	return err
}
