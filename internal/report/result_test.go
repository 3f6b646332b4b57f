package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/metrics"
)

func TestItems(t *testing.T) {
	for _, c := range []struct {
		names string
		want  []string
	}{
		{"all", items},
		{"pred_label all none", items},
		{"none", nil},
		{"none pred_label", nil},
		{"", nil},
		{"pred_class class_scores pred_class", []string{ClassScores, PredClass}},
		{"gt_label all filename", []string{ClassScores, PredScore, PredLabel, PredClass, Filename, GTLabel}},
		{"none gt_label pred_label", []string{GTLabel}},
		{"filename pred_score", []string{PredScore, Filename}},
	} {
		got, err := Items(strings.Fields(c.names))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("Items(%q): %v, %v", c.names, got, err)
		}
	}
	if _, err := Items([]string{"all", "scores"}); err == nil || !strings.Contains(err.Error(), `unknown result item "scores": choose from class_scores`) {
		t.Errorf("error %v", err)
	}
}

func TestCheckPath(t *testing.T) {
	for _, path := range []string{"a.json", "b/a.yaml", "a.yml", "a.json.pkl", "/a.pickle"} {
		if err := CheckPath(path); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{"a", "", "a.xyz", "json", "a.JSON", "a.json/b", "a.pkl.gz"} {
		if err := CheckPath(path); err == nil || !strings.Contains(err.Error(), "name it .json, .yaml") {
			t.Errorf("%q: error %v", path, err)
		}
	}
}

// TestOriginalFile writes the original's result, and compares with the original's
// file.
func TestOriginalFile(t *testing.T) {
	want, err := os.ReadFile("../../testdata/digits/train.result.json")
	if err != nil {
		t.Fatal(err)
	}
	var original struct {
		ClassScores [][]float32 `json:"class_scores"`
		PredLabel   []int       `json:"pred_label"`
		PredClass   []string    `json:"pred_class"`
	}
	var numbers map[string]any
	for _, dst := range []any{&original, &numbers} {
		if err := json.Unmarshal(want, dst); err != nil {
			t.Fatal(err)
		}
	}
	r := Result{Classes: make([]string, 10)}
	for _, key := range []string{"accuracy_top-1", "accuracy_top-5", "support", "precision", "recall", "f1_score"} {
		r.Metrics = append(r.Metrics, metrics.Value{Key: key, Scalar: numbers[key].(float64)})
	}
	for i, row := range original.ClassScores {
		r.Scores = append(r.Scores, row...)
		r.Classes[original.PredLabel[i]] = original.PredClass[i]
	}
	path := filepath.Join(t.TempDir(), "result.json")
	if err := r.Write(path, items); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, bytes.TrimSuffix(want, []byte("\n"))) {
		t.Errorf("the file is not the original's: %.200s\nwant %.200s", got, want)
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	good := newResult(2, []string{"a", "b", "c"}, 1)
	for _, c := range []struct {
		name, path string
		change     func(*Result)
		items      []string
		want       string
	}{
		{"format", "a.csv", nil, nil, `unsupported format "csv"`},
		{"rows", "a.json", func(r *Result) { r.Scores = r.Scores[1:] }, items, "5 scores are not rows of 3 classes"},
		{"classes", "a.pkl", func(r *Result) { r.Classes = nil }, items, "6 scores are not rows of 0 classes"},
		{"names", "a.yaml", func(r *Result) { r.Filenames = nil }, []string{Filename}, `item "filename" has 0 values for 2 images`},
		{"labels", "a.pkl", func(r *Result) { r.Labels = r.Labels[1:] }, []string{GTLabel}, `item "gt_label" has 1 values for 2 images`},
		{"folder", "", nil, nil, "unsupported format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := *good
			if c.change != nil {
				c.change(&r)
			}
			err := r.Write(filepath.Join(dir, c.path), c.items)
			if err == nil || !strings.HasPrefix(err.Error(), "writing result file: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left %v behind (%v)", left, err)
			}
		})
	}
}

// TestWriteMemory checks that writing allocates far less memory than the scores
// take.
func TestWriteMemory(t *testing.T) {
	const images, classes, limit = 2000, 1000, 1 << 20 // of 8 MB
	r := &Result{Scores: make([]float32, images*classes), Classes: make([]string, classes)}
	for i := range r.Scores {
		r.Scores[i] = float32(i%977) / 977
	}
	dir := t.TempDir()
	for _, name := range []string{"a.json", "a.yaml", "a.pkl"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := r.Write(filepath.Join(dir, name), items); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > limit {
			t.Errorf("%s: %d bytes were allocated, want at most %d", name, n, limit)
		}
	}
}
