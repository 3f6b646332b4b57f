package report

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"repvgg/internal/metrics"
	"repvgg/internal/testkit/need"
)

const testdata = "../../testdata/report"

// runPython runs a script from testdata/report. It skips the test if the modules
// are missing.
func runPython(t *testing.T, modules, script string, args ...string) {
	t.Helper()
	python := need.Python(t, need.Torch, modules)
	need.Script(t, python, append([]string{filepath.Join(testdata, script)}, args...)...)
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// writeScores writes scores to a file for numpy.fromfile.
func writeScores(t *testing.T, path string, scores []float32) {
	t.Helper()
	var b []byte
	for _, v := range scores {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	writeFile(t, path, b)
}

// strangeNames are unusual file and class names.
var strangeNames = []string{
	"plain.png", "sub folder/two words.JPEG", `quote " and \ and 'single'`, "tab\tnewline\nreturn\rbell\adel\x7fnul\x00",
	"caf\u00e9", "\u6f22\u5b57", "\U0001f600.png", "latin1-\xe9.jpg", "half \xed\xa0\x80 surrogate", "yes", "1.5e3", "~", "", "- a: b # c",
}

// newResult returns a result with random scores, some of them special values.
func newResult(images int, classes []string, seed uint64) *Result {
	rng := rand.New(rand.NewPCG(seed, 1))
	r := &Result{Classes: classes}
	special := []float32{0, 1, 1e-45, 1e-5, 9.9e-5, 1e-4, 0.1, 1.0 / 3, 123456.7, 3e38, float32(math.Inf(1)), float32(math.Inf(-1)), -0.25, float32(math.Copysign(0, -1))}
	for i := range images {
		for range classes {
			v := rng.Float32()
			if rng.IntN(8) == 0 {
				v = special[rng.IntN(len(special))]
			}
			r.Scores = append(r.Scores, v)
		}
		r.Filenames = append(r.Filenames, strangeNames[i%len(strangeNames)])
		r.Labels = append(r.Labels, rng.IntN(len(classes)))
	}
	return r
}

// resultCases are results and the items to write.
func resultCases() map[string]struct {
	result *Result
	items  []string
} {
	type c = struct {
		result *Result
		items  []string
	}
	every := append(append([]string{}, items...), extras...)
	full := newResult(40, strangeNames, 1)
	full.Metrics = []metrics.Value{
		{Key: "accuracy_top-1", Scalar: 72.41000366210938}, {Key: "support", Scalar: 40}, {Key: "precision", Scalar: 1.0 / 3}, {Key: "f1_score", Scalar: 1e-7},
	}
	perClass := newResult(3, []string{"one", "two"}, 2)
	perClass.Metrics = []metrics.Value{
		{Key: "accuracy_top-5_thr_0.50", Scalar: 0}, {Key: "support", Counts: []int64{1, 2}},
		{Key: "precision_thr_0.50", PerClass: []float64{100, 200.0 / 3}}, {Key: "recall", PerClass: []float64{1e-300, 1e22, 9999999999999998, 1e16, 1e-4, 0.00009999, 123456789.125}},
	}
	nan := &Result{Classes: []string{"a", "b"}, Scores: []float32{float32(math.NaN()), 1, 0, float32(math.NaN())}}
	return map[string]c{
		"full": {full, every}, "original": {full, items}, "metrics": {full, nil}, "perclass": {perClass, []string{PredLabel, GTLabel}}, "nan": {nan, items},
		"empty": {&Result{}, nil}, "noimages": {&Result{Classes: []string{"a"}}, []string{PredLabel, PredClass, GTLabel}},
		"wide": {newResult(3, make([]string, 3000), 4), []string{ClassScores, Filename}},
	}
}

// TestPythonReadsResults reads each format with Python, and compares it with what
// NumPy computes from the same scores.
func TestPythonReadsResults(t *testing.T) {
	dir := t.TempDir()
	var cases []string
	for name, c := range resultCases() {
		scores := filepath.Join(dir, name+".bin")
		writeScores(t, scores, c.result.Scores)
		for _, ext := range []string{".json", ".yaml", ".yml", ".pkl", ".pickle"} {
			path := filepath.Join(dir, "out", name+ext)
			if err := c.result.Write(path, c.items); err != nil {
				t.Fatal(err)
			}
			cases = append(cases, filepath.Join(dir, name+ext))
			writeFile(t, cases[len(cases)-1], resultCase(t, c.result, path, scores, c.items))
		}
	}
	runPython(t, "numpy, yaml", "check_result.py", cases...)
}

// resultCase describes a file for check_result.py.
func resultCase(t *testing.T, r *Result, path, scores string, items []string) []byte {
	t.Helper()
	values := [][]any{}
	for _, m := range r.Metrics {
		var v any = m.Scalar
		if m.PerClass != nil {
			v = m.PerClass
		}
		if m.Counts != nil {
			v = m.Counts
		}
		values = append(values, []any{m.Key, v})
	}
	data, err := json.Marshal(map[string]any{
		"path": path, "scores": scores, "metrics": values, "classes": hexed(r.Classes), "names": hexed(r.Filenames),
		"labels": append([]int{}, r.Labels...), "items": append([]string{}, items...),
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// hexed encodes strings for JSON, because some are not valid UTF-8.
func hexed(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = hex.EncodeToString([]byte(s))
	}
	return out
}
