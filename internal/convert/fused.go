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

// Fuse gives the deploy form of a checkpoint that matches plan: in a temporary
// file, which remove closes and removes, or as it is if it has that form.
func Fuse(ctx context.Context, plan *model.Plan, src *checkpoint.File) (fused *checkpoint.File, remove func(), err error) {
	if plan.Form == model.Deploy {
		return src, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "repvgg-")
	if err != nil {
		return nil, nil, fmt.Errorf("making a temporary folder to fuse in (the variable TMPDIR names another): %w", err)
	}
	removeDir := func() { _ = os.RemoveAll(dir) }
	path := filepath.Join(dir, "deploy.pth")
	if err = WriteDeploy(ctx, plan, src, path, MMClassification, nil); err == nil {
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
