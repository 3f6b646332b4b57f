package convert

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
)

// Fuse gives the deploy form of a checkpoint that matches the train form of
// plan, in a temporary file, which remove closes and removes.
func Fuse(ctx context.Context, plan *model.Plan, src *checkpoint.File) (fused *checkpoint.File, remove func(), err error) {
	dir, err := os.MkdirTemp("", "repvgg-")
	if err != nil {
		return nil, nil, fmt.Errorf("making a temporary folder to fuse in (the variable TMPDIR names another): %w", err)
	}
	removeDir := func() { _ = os.RemoveAll(dir) }
	path := filepath.Join(dir, "deploy.pth")
	if err = Reparameterize(ctx, plan.As(model.Train), src, path, MMClassification, nil); err == nil {
		fused, err = checkpoint.Open(path)
	}
	if err != nil {
		removeDir()
		return nil, nil, err
	}
	if runtime.GOOS != "windows" {
		// It is read through the open file: an end by a signal leaves nothing.
		removeDir()
	}
	return fused, func() { fused.Close(); removeDir() }, nil
}
