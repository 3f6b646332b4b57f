package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"

	"repvgg/internal/checkpoint"
	"repvgg/internal/convert"
	"repvgg/internal/model"
)

// fusedFile is the deploy form of a training checkpoint, in a temporary folder
// that goes when it is closed.
type fusedFile struct {
	*checkpoint.File
	dir string
}

// openFused fuses a checkpoint that matches the train form of plan.
func openFused(ctx context.Context, plan *model.Plan, src *checkpoint.File) (*fusedFile, error) {
	dir, err := os.MkdirTemp("", "repvgg-")
	if err != nil {
		return nil, err
	}
	f := &fusedFile{dir: dir}
	path := filepath.Join(dir, "deploy.pth")
	err = convert.Reparameterize(ctx, plan.As(model.Train), src, path, convert.Namings[0], nil)
	if err == nil {
		f.File, err = convert.Open(path)
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

func (f *fusedFile) close() {
	f.Close()
	_ = os.RemoveAll(f.dir) // of a temporary folder
}
