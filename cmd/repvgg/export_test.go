package main

import (
	"bytes"
	"os"
	"path/filepath"
	"repvgg/internal/testkit/need"
	"slices"
	"strconv"
	"testing"
)

// exported runs repvgg export and returns the path of the model.
func exported(t *testing.T, cfg, src string, flags ...string) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "out", "model.onnx")
	args := append([]string{"export", cfg, src, dst}, flags...)
	if stdout, stderr, status := runCommand(t, args...); status != 0 || stderr != "" || stdout != "Done! Save at path \""+dst+"\"\n" {
		t.Fatalf("repvgg %q: exit status %d, stdout %q, stderr %q", args, status, stdout, stderr)
	}
	return dst
}

// TestExport exports five architectures from training checkpoints, and runs them in
// onnxruntime on the original's input.
func TestExport(t *testing.T) {
	for _, name := range []string{"plain", "groups", "se", "dilated", "eps"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(testdata, "fuse", name)
			cfg, src := filepath.Join(dir, "train_cfg.py"), filepath.Join(dir, "train.pth")
			x, shape := readNPY(t, filepath.Join(dir, "input.npy"))
			for output, file := range map[string]string{"probs": "scores.npy", "logits": "logits.npy"} {
				want, dims := readNPY(t, filepath.Join(dir, file))
				r, err := need.RunONNX(t, testdata, exported(t, cfg, src, "--output", output), x, shape)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(r.Inputs, []string{"input"}) || !slices.Equal(r.Outputs, []string{output}) || !slices.Equal(r.Dims, dims) {
					t.Errorf("%q to %q of %v, want input to %q of %v", r.Inputs, r.Outputs, r.Dims, output, dims)
				}
				if len(r.Values) != len(want) {
					t.Fatalf("%d values, want %d", len(r.Values), len(want))
				}
				worst, largest := farthest(r.Values, want)
				t.Logf("%s: largest difference %.2g of %.3g", output, worst, largest)
				if !(worst <= logitsTolerance*largest) {
					t.Errorf("%s differ by %g, more than %g of %g", output, worst, logitsTolerance, largest)
				}
			}
			fixed := exported(t, cfg, src, "--fix-batch", strconv.Itoa(shape[0]), "--fix-shape", strconv.Itoa(shape[2]), strconv.Itoa(shape[3]))
			if _, err := need.RunONNX(t, testdata, fixed, x, shape); err != nil {
				t.Error(err)
			}
			if _, err := need.RunONNX(t, testdata, fixed, x[:len(x)/shape[0]], append([]int{1}, shape[1:]...)); err == nil && shape[0] != 1 {
				t.Error("a model of a fixed batch ran with another")
			}
		})
	}
}

// TestExportForms checks that the model is the same whether it is exported from the
// train form, the deploy form or another framework's file.
func TestExportForms(t *testing.T) {
	dir := filepath.Join(testdata, "checkpoints")
	cfg, train := filepath.Join(dir, "tiny.py"), filepath.Join(dir, "ok", "bare_state_dict.pth")
	want, err := os.ReadFile(exported(t, cfg, train))
	if err != nil {
		t.Fatal(err)
	}
	deploy := fused(t, cfg, train)
	for _, args := range [][2]string{{cfg, deploy}, {filepath.Join(dir, "tiny_deploy.py"), deploy}, {filepath.Join(dir, "tiny_deploy.py"), train},
		{cfg, filepath.Join(dir, "ok", "timm.safetensors")}} {
		got, err := os.ReadFile(exported(t, args[0], args[1]))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s with %s gives another model", args[0], args[1])
		}
	}
}

// TestExportMetadata checks that the model's metadata holds the pipeline and the
// class names.
func TestExportMetadata(t *testing.T) {
	digits := filepath.Join(testdata, "digits")
	model, err := os.ReadFile(exported(t, filepath.Join(digits, "configs", "repvgg-digits.py"), filepath.Join(digits, "train.pth")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pipeline", "CenterCrop(32x32) > Normalize(mean=[123.675 116.28 103.53]", "classes", `["0","1","2",`} {
		if !bytes.Contains(model, []byte(want)) {
			t.Errorf("the model has no %q", want)
		}
	}
}
