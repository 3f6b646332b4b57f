package convert

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/recipe"
	"repvgg/internal/weights"
)

const checkpoints = "../../testdata/checkpoints"

// openSet opens the small training checkpoint.
func openSet(t *testing.T) *weights.Set {
	t.Helper()
	r, err := recipe.Load(filepath.Join(checkpoints, "tiny.py"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := weights.Open(filepath.Join(checkpoints, "ok", "train.pth"), r.Network, checkpoint.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestCancelled stops a conversion before its first block.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	err := WriteDeploy(ctx, openSet(t), filepath.Join(dir, "x.pth"), repvgg.MMClassification, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v behind", left)
	}
}
