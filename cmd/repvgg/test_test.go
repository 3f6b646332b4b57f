package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// digitsLines is what the original's test.py prints for either form.
const digitsLines = `
accuracy_top-1 : 99.33

accuracy_top-5 : 100.0

support : 300.0

precision : 99.36

recall : 99.37

f1_score : 99.35
`

// result is the original's result file.
type result struct {
	Top1        float64     `json:"accuracy_top-1"`
	Top5        float64     `json:"accuracy_top-5"`
	Support     float64     `json:"support"`
	Precision   float64     `json:"precision"`
	Recall      float64     `json:"recall"`
	F1          float64     `json:"f1_score"`
	ClassScores [][]float64 `json:"class_scores"`
	PredScore   []float64   `json:"pred_score"`
	PredLabel   []int       `json:"pred_label"`
	PredClass   []string    `json:"pred_class"`
}

// TestDigits tests both forms on 300 images, and compares with what the original
// printed and wrote.
func TestDigits(t *testing.T) {
	digits, err := filepath.Abs(filepath.Join(testdata, "digits"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(digits) // the config's paths are relative
	deploy := fused(t, "configs/repvgg-digits.py", "train.pth")
	for _, c := range []struct{ form, cfg, ckpt string }{
		{"train", "configs/repvgg-digits.py", "train.pth"},
		{"deploy", "configs/repvgg-digits_deploy.py", deploy},
	} {
		t.Run(c.form, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "results.json")
			stdout, stderr, status := runCommand(t, "test", c.cfg, c.ckpt,
				"--metrics", "accuracy", "precision", "recall", "f1_score", "support", "--out", out)
			if status != 0 || stderr != "" {
				t.Fatalf("exit status %d, stderr %q", status, stderr)
			}
			if want := digitsLines + "\ndumping results to " + out + "\n"; stdout != want {
				t.Errorf("stdout %q, want %q", stdout, want)
			}
			var got, want result
			readJSON(t, out, &got)
			readJSON(t, c.form+".result.json", &want)
			compareResults(t, &got, &want)
		})
	}
}

func compareResults(t *testing.T, got, want *result) {
	t.Helper()
	for _, m := range []struct {
		name      string
		got, want float64
	}{
		{"accuracy_top-1", got.Top1, want.Top1}, {"accuracy_top-5", got.Top5, want.Top5}, {"support", got.Support, want.Support},
		{"precision", got.Precision, want.Precision}, {"recall", got.Recall, want.Recall}, {"f1_score", got.F1, want.F1},
	} {
		// Means over classes may differ in the last digits, because PyTorch's order of
		// summation depends on the machine.
		if !(math.Abs(m.got-m.want) <= 1e-10) {
			t.Errorf("%s is %v, want %v", m.name, m.got, m.want)
		}
	}
	if len(got.ClassScores) != 300 || len(want.ClassScores) != 300 || len(got.PredClass) != 300 {
		t.Fatalf("%d and %d rows of scores, %d classes", len(got.ClassScores), len(want.ClassScores), len(got.PredClass))
	}
	worst := 0.0
	for i, row := range want.ClassScores {
		if got.PredLabel[i] != want.PredLabel[i] {
			t.Errorf("image %d: label %d, want %d", i, got.PredLabel[i], want.PredLabel[i])
		}
		worst = max(worst, math.Abs(got.PredScore[i]-want.PredScore[i]))
		for c, v := range row {
			worst = max(worst, math.Abs(got.ClassScores[i][c]-v))
		}
	}
	t.Logf("largest difference of a score: %.2g", worst)
	if !(worst <= 1e-5) {
		t.Errorf("scores differ by %g", worst)
	}
}

// TestResultFile checks that the file is one line with the keys in order.
func TestResultFile(t *testing.T) {
	digits, err := filepath.Abs(filepath.Join(testdata, "digits"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(digits)
	out := filepath.Join(t.TempDir(), "new", "results.json")
	_, stderr, status := runCommand(t, "test", "configs/repvgg-digits.py", "train.pth", "--out", out, "--out-items", "pred_class", "pred_label")
	if status != 0 {
		t.Fatal(stderr)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var items map[string]json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		t.Fatal(err)
	}
	const head = `{"pred_label": [2, 4, 9, `
	if len(items) != 2 || len(data) < len(head) || string(data[:len(head)]) != head {
		t.Errorf("%d items, starting %.60s; want 2, starting %s", len(items), data, head)
	}
}
