package report

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/metrics"
)

// guesses returns a result in which a share right of the predictions is right. Only
// the first used classes have images.
func guesses(images, classes, used int, right float64, seed uint64) *Result {
	rng := rand.New(rand.NewPCG(seed, 2))
	r := &Result{}
	for c := range classes {
		r.Classes = append(r.Classes, fmt.Sprintf("class %d, \"%c\"", c, 'a'+rune(c%26)))
	}
	for i := range images {
		label := rng.IntN(used)
		for range classes {
			r.Scores = append(r.Scores, float32(rng.IntN(50))/100) // with ties
		}
		if rng.Float64() < right {
			r.row(i)[label] = 0.9 + rng.Float32()/10
		}
		r.Labels = append(r.Labels, label)
		r.Filenames = append(r.Filenames, fmt.Sprintf("folder/%05d.png", i))
	}
	return r
}

// shaken returns a copy of a run with changed scores.
func shaken(r *Result, by float32, seed uint64) *Result {
	rng := rand.New(rand.NewPCG(seed, 3))
	other := *r
	other.Scores = make([]float32, len(r.Scores))
	for i, v := range r.Scores {
		other.Scores[i] = v + by*(rng.Float32()-0.5)
	}
	return &other
}

// TestTablesMatchNumPy compares the tables with values that NumPy computes.
func TestTablesMatchNumPy(t *testing.T) {
	dir := t.TempDir()
	var cases []string
	for i, c := range []struct {
		r    *Result
		used int
		by   float32
	}{
		{guesses(1, 1, 1, 1, 1), 1, 0},
		{guesses(300, 10, 10, 0.9, 2), 10, 0.3},
		{guesses(500, 40, 30, 0.5, 3), 30, 0.01},
		{guesses(200, 7, 7, 0, 4), 7, 1},
	} {
		in := func(name string) string { return filepath.Join(dir, fmt.Sprintf("%d.%s", i, name)) }
		other := shaken(c.r, c.by, uint64(i))
		writeScores(t, in("a"), c.r.Scores)
		writeScores(t, in("b"), other.Scores)
		writeTables(t, c.r, other, in)
		data, err := json.Marshal(map[string]any{
			"a": in("a"), "b": in("b"), "classes": c.r.Classes, "labels": c.r.Labels, "names": c.r.Filenames, "absent": len(c.r.Classes) - c.used,
			"confusion": in("confusion.csv"), "perclass": in("perclass.csv"), "compare_json": in("json"), "compare_csv": in("csv"),
		})
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, in("case"), data)
		cases = append(cases, in("case"))
	}
	runPython(t, "numpy", "check_tables.py", cases...)
}

func writeTables(t *testing.T, a, b *Result, in func(string) string) {
	t.Helper()
	confusion, err := NewConfusion(a)
	if err != nil {
		t.Fatal(err)
	}
	comparison, err := Compare("a.pth", a, "b.pth", b)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		confusion.Write(in("confusion.csv")), WritePerClass(in("perclass.csv"), a), comparison.Write(in("json")), comparison.Write(in("csv")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// twoRuns returns two runs on four images with known scores.
func twoRuns() (a, b *Result) {
	a = &Result{
		Classes: []string{"cat", "dog\x1b[1m", "2"}, Labels: []int{0, 1, 2, 9}, Filenames: []string{"0.png", "1.png", "2\t.png", "3.png"},
		Scores:  []float32{1, 0, 0, 0, 0.75, 0.25, 0, 0, 1, 0.5, 0.25, 0.25},
		Metrics: []metrics.Value{{Key: "precision", Scalar: 50}, {Key: "recall", PerClass: []float64{1, 2, 3}}, {Key: "f1_score", Scalar: 1}},
	}
	changed := *a
	b = &changed
	b.Scores = []float32{1, 0, 0, 0, 0.75, 0.25, 0.625, 0, 0.375, 0, 0.5, 0.5}
	b.Metrics = []metrics.Value{{Key: "precision", Scalar: 47.5}, {Key: "recall", PerClass: []float64{1, 2, 3}}}
	return a, b
}

func TestWriteText(t *testing.T) {
	a, b := twoRuns()
	const head = `A: train.pth
B: deploy.pth

                      A       B    B - A
  accuracy_top-1  75.00   50.00   -25.00
       precision  50.00   47.50    -2.50

same label : 2 of 4 images, 50.000 %
largest score difference : 0.625, 0 in A and 0.625 in B, for 0 cat of "2\t.png"
`
	const first = `
image       A       score    B                  score    truth
"2\t.png"   2       1.0000   0 cat              0.6250   2
`
	for _, c := range []struct {
		most int
		want string
	}{
		{-1, head + first + "3.png       0 cat   0.5000   1 \"dog\\x1b[1m\"   0.5000   9\n"},
		{0, head},
	} {
		c.want = tidy(c.want)
		var got strings.Builder
		if err := compare(t, a, b).WriteText(&got, c.most); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, tidy(got.String())); diff != "" {
			t.Errorf("most %d (-want +got):\n%s", c.most, diff)
		}
	}
	var got strings.Builder
	if err := compare(t, a, b).WriteText(&got, 1); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(got.String(), "0.6250   2\n... and 1 more\n") {
		t.Errorf("at most one image: %s", got.String())
	}
	got.Reset()
	if err := compare(t, a, a).WriteText(&got, 1); err != nil {
		t.Fatal(err)
	}
	if want := "same label : 4 of 4 images, 100.000 %\nlargest score difference : none, all are equal\n"; !strings.HasSuffix(got.String(), want) {
		t.Errorf("equal runs: %s", got.String())
	}
}

// tidy replaces runs of spaces with one space, because the width of columns does
// not matter.
func tidy(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(lines, "\n")
}

func compare(t *testing.T, a, b *Result) *Comparison {
	t.Helper()
	c, err := Compare("train.pth", a, "deploy.pth", b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompareErrors(t *testing.T) {
	for _, c := range []struct {
		change func(*Result)
		want   string
	}{
		{func(r *Result) { r.Classes = []string{"a", "b", "c", "d"}; r.Scores = make([]float32, 16) }, "they have 3 and 4 classes"},
		{func(r *Result) { r.Scores, r.Labels, r.Filenames = r.Scores[3:], r.Labels[1:], r.Filenames[1:] }, "they have 4 and 3 images"},
		{func(r *Result) { r.Filenames = []string{"0.png", "1.png", "x.png", "3.png"} }, `image 2 is "2\t.png" in one and "x.png" in the other`},
		{func(r *Result) { r.Labels = nil }, `item "gt_label" has 0 values for 4 images`},
		{func(r *Result) { r.Scores = r.Scores[1:] }, "11 scores are not rows of 3 classes"},
	} {
		a, b := twoRuns()
		c.change(b)
		if _, err := Compare("a.pth", a, "b.pth", b); err == nil || !strings.HasPrefix(err.Error(), `comparing "a.pth" with "b.pth": `) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	if _, err := Compare("a", &Result{Classes: []string{"a"}}, "b", &Result{Classes: []string{"a"}}); err == nil {
		t.Error("no images are compared")
	}
}

// A score that is NaN in only one run is the largest difference. In JSON, NaN is
// null.
func TestCompareNaN(t *testing.T) {
	a, b := twoRuns()
	var zero float32
	nan := zero / zero
	a.Scores[0], b.Scores[0] = nan, nan
	if l := compare(t, a, b).Largest; l.Difference != 0.625 {
		t.Errorf("NaN in both runs: largest difference %v", l)
	}
	b.Scores[4] = nan
	c := compare(t, a, b)
	if l := c.Largest; l.Image != "1.png" || l.Label != 1 || l.Difference == l.Difference {
		t.Errorf("NaN in one run: largest difference %v", l)
	}
	data, err := json.Marshal(c.Largest)
	if want := `{"image":"1.png","label":1,"class":"dog\u001b[1m","a":0.75,"b":null,"difference":null}`; err != nil || string(data) != want {
		t.Errorf("JSON %s (%v), want %s", data, err, want)
	}
}

func TestTableErrors(t *testing.T) {
	dir := t.TempDir()
	r := guesses(5, 3, 3, 1, 1)
	outside := *r
	outside.Labels = []int{0, 1, 2, 3, 0}
	none := &Result{Classes: r.Classes}
	c, err := NewConfusion(r)
	if err != nil {
		t.Fatal(err)
	}
	_, outsideErr := NewConfusion(&outside)
	for _, e := range []struct {
		err  error
		want string
	}{
		{outsideErr, "label 3 of image 3 is not one of the 3 classes"},
		{WritePerClass(filepath.Join(dir, "a.csv"), &outside), "writing per-class table: counting predictions: label 3"},
		{WritePerClass(filepath.Join(dir, "a.csv"), none), "there are no images"},
		{c.Write(filepath.Join(dir, "a.jpg")), `unsupported format ".jpg" of confusion matrix`},
		{CheckConfusionPath("a"), "name it .png, .svg or .csv"},
		{compare(t, r, r).Write(filepath.Join(dir, "a.yaml")), `unsupported format ".yaml" of comparison`},
		{CheckComparisonPath("a.txt"), "name it .json or .csv"},
		{WritePerClass(filepath.Join(dir, "a.json"), r), `writing per-class table: unsupported format ".json"`},
		{CheckPerClassPath("a"), "name it .csv"},
	} {
		if e.err == nil || !strings.Contains(e.err.Error(), e.want) {
			t.Errorf("error %v, want %q", e.err, e.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left %q behind", left)
	}
}
