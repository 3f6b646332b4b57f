package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repvgg/internal/checkpoint"
)

// mnistConfig is a one-channel network with the test split of the MNIST fixture.
const mnistConfig = `
model = dict(
    type='ImageClassifier',
    backbone=dict(type='RepVGG', in_channels=1, deploy=True,
        arch=dict(num_blocks=[1, 1, 1, 1], width_factor=[.125, .125, .125, .125], group_layer_map=None, se_cfg=None)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=64))
data = dict(samples_per_gpu=2, test=dict(type='MNIST', data_prefix='PREFIX', pipeline=[
    dict(type='Resize', size=32),
    dict(type='Normalize', mean=[33.46], std=[78.87], to_rgb=True),
    dict(type='ImageToTensor', keys=['img']),
    dict(type='Collect', keys=['img'])]))
`

// TestMNIST runs repvgg test on a data set that holds one-channel images as arrays.
func TestMNIST(t *testing.T) {
	dir := t.TempDir()
	prefix, err := filepath.Abs(filepath.Join(testdata, "datasets", "mnist"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, ckpt, out := filepath.Join(dir, "mnist.py"), filepath.Join(dir, "mnist.pth"), filepath.Join(dir, "out.json")
	if err := os.WriteFile(cfg, []byte(strings.ReplaceAll(mnistConfig, "PREFIX", prefix)), 0o600); err != nil {
		t.Fatal(err)
	}
	writeRandom(t, cfg, ckpt)
	stdout, stderr, status := runCommand(t, "test", cfg, ckpt, "--metrics", "support", "--out", out, "--out-items", "filename", "gt_label", "class_scores",
		"--show-dir", filepath.Join(dir, "painted"))
	if status != 0 {
		t.Fatal(stderr)
	}
	var got struct {
		result
		Filename []string `json:"filename"`
		GTLabel  []int    `json:"gt_label"`
	}
	readJSON(t, out, &got)
	labels, err := os.ReadFile(filepath.Join(prefix, "t10k-labels-idx1-ubyte"))
	if err != nil {
		t.Fatal(err)
	}
	labels = labels[8:] // after the magic number and the count
	if len(labels) == 0 || len(got.GTLabel) != len(labels) || len(got.ClassScores) != len(labels) || !strings.Contains(stdout, "support : ") {
		t.Fatalf("%d labels, %d rows, stdout %q; want %d", len(got.GTLabel), len(got.ClassScores), stdout, len(labels))
	}
	for i, label := range labels {
		if got.GTLabel[i] != int(label) || !strings.HasPrefix(got.Filename[i], "t10k-images-idx3-ubyte[") {
			t.Errorf("image %d: %q with label %d, want %d", i, got.Filename[i], got.GTLabel[i], label)
		}
	}
	painted, err := os.ReadDir(filepath.Join(dir, "painted"))
	if err != nil || len(painted) != len(labels) {
		t.Errorf("%d painted images, want %d (%v)", len(painted), len(labels), err)
	}
}

// writeRandom writes a checkpoint that fits a config.
func writeRandom(t *testing.T, cfg, path string) {
	t.Helper()
	p := loadPlanFor(t, cfg)
	w, err := checkpoint.Create(path, p.Tensors(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	rng := rand.New(rand.NewPCG(5, 6))
	for _, s := range p.Tensors() {
		values := make([]float32, s.Numel())
		for i := range values {
			values[i] = float32(rng.NormFloat64())
		}
		if err := w.Write(values); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}
