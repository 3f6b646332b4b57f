package main

import (
	"math"
	"path/filepath"
	"repvgg/internal/testkit/need"
	"testing"
)

// TestDigitsAsJPEG tests both forms on the digits re-encoded as JPEG, and compares
// the scores with those of the original's pipeline, which it runs with OpenCV,
// Pillow and PyTorch.
func TestDigitsAsJPEG(t *testing.T) {
	python := need.Python(t, need.Torch, "torch", "cv2", "PIL")
	digits := filepath.Join(testdata, "digits")
	dir := t.TempDir()
	need.Script(t, python, filepath.Join(digits, "jpeg_expectation.py"), dir)
	var want result
	readJSON(t, filepath.Join(dir, "expected.json"), &want)
	if len(want.PredLabel) != 300 {
		t.Fatalf("%d expectations", len(want.PredLabel))
	}
	for cfg, ckpt := range map[string]string{"repvgg-digits.py": "train.pth", "repvgg-digits_deploy.py": "deploy.pth"} {
		out := filepath.Join(dir, cfg+".json")
		_, stderr, status := runCommand(t, "test", filepath.Join(digits, "configs", cfg), filepath.Join(digits, ckpt), "--out", out,
			"--cfg-options", "data.test.data_prefix="+filepath.Join(dir, "val"), "data.test.ann_file="+filepath.Join(dir, "val.txt"))
		if status != 0 {
			t.Fatal(stderr)
		}
		var got result
		readJSON(t, out, &got)
		worst := 0.0
		for i, label := range want.PredLabel {
			if got.PredLabel[i] != label {
				t.Errorf("%s: image %d has label %d, want %d", cfg, i, got.PredLabel[i], label)
			}
			for c, v := range want.ClassScores[i] {
				worst = max(worst, math.Abs(got.ClassScores[i][c]-v))
			}
		}
		t.Logf("%s: largest difference of a score %.2g", cfg, worst)
		if !(worst <= 1e-5) {
			t.Errorf("%s: scores differ by %g", cfg, worst)
		}
	}
}
