package metrics

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// meanTolerance is for means of float64 values, which the original adds in another
// order. Counts and accuracies must be equal.
const meanTolerance = 1e-12

// number returns the value as decoded from JSON.
func number(v Value) any {
	list := []any{}
	switch {
	case v.Counts != nil:
		for _, n := range v.Counts {
			list = append(list, float64(n))
		}
		return list
	case v.PerClass != nil:
		for _, x := range v.PerClass {
			list = append(list, x)
		}
		return list
	}
	return v.Scalar
}

var closeMeans = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= meanTolerance*100 })

func readJSON(t *testing.T, path string, dst any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, dst); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// jsonOptions are metric_options. A number is a scalar, and a list is a tuple.
type jsonOptions struct {
	TopK        json.RawMessage `json:"topk"`
	Thrs        json.RawMessage `json:"thrs"`
	AverageMode string          `json:"average_mode"`
}

func (o jsonOptions) options(t *testing.T) Options {
	t.Helper()
	opts := Options{PerClass: o.AverageMode == "none"}
	if o.TopK != nil && json.Unmarshal(o.TopK, &opts.TopK) != nil {
		k, err := strconv.Atoi(string(o.TopK))
		if err != nil {
			t.Fatal(err)
		}
		opts.TopK, opts.TopKScalar = []int{k}, true
	}
	if o.Thrs != nil && json.Unmarshal(o.Thrs, &opts.Thresholds) != nil {
		thr, err := strconv.ParseFloat(string(o.Thrs), 64)
		if err != nil {
			t.Fatal(err)
		}
		opts.Thresholds, opts.ThresholdsScalar = []float64{thr}, true
	}
	return opts
}

// The original computed these; see testdata/original.py.
func TestEvaluateMatchesOriginal(t *testing.T) {
	var cases []struct {
		Classes int         `json:"classes"`
		Scores  []float32   `json:"scores"`
		Labels  []int       `json:"labels"`
		Metrics []string    `json:"metrics"`
		Options jsonOptions `json:"options"`
		Keys    []string    `json:"keys"`
		Values  []any       `json:"values"`
		Printed []string    `json:"printed"`
	}
	readJSON(t, "testdata/original.json", &cases)
	if len(cases) < 10 {
		t.Fatalf("only %d cases", len(cases))
	}
	for i, c := range cases {
		values, err := Evaluate(c.Scores, c.Classes, c.Labels, c.Metrics, c.Options.options(t))
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		var keys, printed []string
		var numbers []any
		for _, v := range values {
			keys, numbers, printed = append(keys, v.Key), append(numbers, number(v)), append(printed, Format(v))
		}
		if diff := cmp.Diff(c.Keys, keys); diff != "" {
			t.Fatalf("case %d: keys (-original +ours):\n%s", i, diff)
		}
		if diff := cmp.Diff(c.Values, numbers, closeMeans); diff != "" {
			t.Errorf("case %d: values (-original +ours):\n%s", i, diff)
		}
		if diff := cmp.Diff(c.Printed, printed); diff != "" {
			t.Errorf("case %d: printed (-original +ours):\n%s", i, diff)
		}
		for j, v := range values {
			if strings.HasPrefix(v.Key, Accuracy) && v.Scalar != c.Values[j] {
				t.Errorf("case %d: %s is %v, want exactly %v", i, v.Key, v.Scalar, c.Values[j])
			}
		}
	}
}

// The scores of a trained network, with the original's results.
func TestEvaluateDigits(t *testing.T) {
	var result struct {
		Top1        float64     `json:"accuracy_top-1"`
		Top5        float64     `json:"accuracy_top-5"`
		Support     float64     `json:"support"`
		Precision   float64     `json:"precision"`
		Recall      float64     `json:"recall"`
		F1          float64     `json:"f1_score"`
		ClassScores [][]float32 `json:"class_scores"`
		PredLabel   []int       `json:"pred_label"`
	}
	readJSON(t, "../../testdata/digits/train.result.json", &result)
	labels := digitLabels(t)
	var scores []float32
	for i, row := range result.ClassScores {
		scores = append(scores, row...)
		if got := ArgMax(row); got != result.PredLabel[i] {
			t.Errorf("image %d: ArgMax is %d, want %d", i, got, result.PredLabel[i])
		}
	}
	values, err := Evaluate(scores, 10, labels, []string{Accuracy, Precision, Recall, F1Score, Support}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Value{
		{Key: "accuracy_top-1", Scalar: result.Top1}, {Key: "accuracy_top-5", Scalar: result.Top5},
		{Key: "support", Scalar: result.Support}, {Key: "precision", Scalar: result.Precision},
		{Key: "recall", Scalar: result.Recall}, {Key: "f1_score", Scalar: result.F1},
	}
	if diff := cmp.Diff(want, values, closeMeans); diff != "" {
		t.Errorf("values (-original +ours):\n%s", diff)
	}
	if values[0].Scalar != result.Top1 {
		t.Errorf("top-1 accuracy is %v, want exactly %v", values[0].Scalar, result.Top1)
	}
	var printed []string
	for _, v := range values {
		printed = append(printed, Format(v))
	}
	if got, want := strings.Join(printed, " "), "99.33 100.0 300.0 99.36 99.37 99.35"; got != want {
		t.Errorf("printed %s, want %s", got, want)
	}
}

func digitLabels(t *testing.T) []int {
	t.Helper()
	f, err := os.Open("../../testdata/digits/data/digits/val.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var labels []int
	for lines := bufio.NewScanner(f); lines.Scan(); {
		_, field, _ := strings.Cut(lines.Text(), " ")
		label, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		labels = append(labels, label)
	}
	return labels
}

// one returns the single value of an evaluation.
func one(t *testing.T, scores []float32, classes int, labels []int, name string, opts Options) float64 {
	t.Helper()
	values, err := Evaluate(scores, classes, labels, []string{name}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != 1 {
		t.Fatalf("%s: %d values", name, len(values))
	}
	return values[0].Scalar
}

func TestAccuracyByHand(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name   string
		scores []float32
		label  int
		k      int
		thr    float64
		want   float64
	}{
		{"tie, lowest class first", []float32{.1, .4, .4, .1}, 1, 1, 0, 100},
		{"tie, later class", []float32{.1, .4, .4, .1}, 2, 1, 0, 0},
		{"tie, later class in the top 2", []float32{.1, .4, .4, .1}, 2, 2, 0, 100},
		{"tie at the end of the top 3", []float32{.1, .4, .4, .1}, 3, 3, 0, 0},
		{"first of all equal", []float32{.25, .25, .25, .25}, 0, 1, 0, 100},
		{"underflow in the top 4 does not count", []float32{1, 0, 0, 0}, 1, 4, 0, 0},
		{"underflow counts below a lower threshold", []float32{1, 0, 0, 0}, 1, 4, -1, 100},
		{"score equal to the threshold", []float32{.5, .25, .25, 0}, 0, 1, .5, 0},
		// float32(0.1) is above 0.1: PyTorch compares as float32.
		{"threshold is rounded to float32", []float32{.1, 0, 0, 0}, 0, 1, .1, 0},
		{"k above the classes", []float32{.1, .2, .3, .4}, 0, 9, 0, 100},
		{"label is no class", []float32{.1, .2, .3, .4}, 4, 4, -1, 0},
		{"label is negative", []float32{.1, .2, .3, .4}, -1, 4, -1, 0},
		{"NaN comes first but is not above a threshold", []float32{.9, nan, .1, 0}, 1, 1, 0, 0},
		{"NaN comes first", []float32{.9, nan, .1, 0}, 0, 1, 0, 0},
	} {
		opts := Options{TopK: []int{c.k}, TopKScalar: true, Thresholds: []float64{c.thr}, ThresholdsScalar: true}
		if got := one(t, c.scores, 4, []int{c.label}, Accuracy, opts); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	values, err := Evaluate([]float32{.1, .9}, 2, []int{1}, []string{Accuracy}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Value{{Key: "accuracy_top-1", Scalar: 100}, {Key: "accuracy_top-5", Scalar: 100, Note: "there are only 2 classes"}}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("two classes (-want +got):\n%s", diff)
	}
}

// 36205 of 50000 gives the float32 value that the original prints for A0 on
// ImageNet.
func TestAccuracyIsFloat32(t *testing.T) {
	scores, labels := make([]float32, 100000), make([]int, 50000)
	for i := range labels {
		scores[2*i] = 1
		if i >= 36205 {
			labels[i] = 1
		}
	}
	got := one(t, scores, 2, labels, Accuracy, Options{TopK: []int{1}})
	if text := strconv.FormatFloat(got, 'g', -1, 64); text != "72.41000366210938" {
		t.Errorf("accuracy is %s, want 72.41000366210938", text)
	}
}

func TestClasswiseByHand(t *testing.T) {
	// Class 2 has no images, class 3 is never predicted; image 3 is a prediction
	// of exactly 0.5.
	scores := []float32{
		.9, .1, 0, 0,
		.2, .7, .1, 0,
		.1, .1, .8, 0,
		.5, .3, .2, 0,
	}
	labels := []int{0, 1, 1, 3}
	values, err := Evaluate(scores, 4, labels, []string{Precision, Recall, F1Score, Support}, Options{PerClass: true, Thresholds: []float64{0, .5}})
	if err != nil {
		t.Fatal(err)
	}
	const twoThirds = 2 * 100. * 50 / 150
	want := []Value{
		{Key: "support", Counts: []int64{1, 2, 0, 1}},
		{Key: "precision_thr_0.00", PerClass: []float64{50, 100, 0, 0}},
		{Key: "precision_thr_0.50", PerClass: []float64{100, 100, 0, 0}},
		{Key: "recall_thr_0.00", PerClass: []float64{100, 50, 0, 0}},
		{Key: "recall_thr_0.50", PerClass: []float64{100, 50, 0, 0}},
		{Key: "f1_score_thr_0.00", PerClass: []float64{twoThirds, twoThirds, 0, 0}},
		{Key: "f1_score_thr_0.50", PerClass: []float64{100, twoThirds, 0, 0}},
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := one(t, scores, 4, labels, Recall, Options{}); got != 150./4 {
		t.Errorf("macro recall is %v, want %v: absent classes count", got, 150./4)
	}
}

func TestEvaluateRefuses(t *testing.T) {
	scores := []float32{.1, .9, .8, .2}
	for _, c := range []struct {
		classes int
		labels  []int
		names   []string
		opts    Options
		want    string
	}{
		{2, []int{0, 1}, []string{"foo"}, Options{}, "metric {'foo'} is not supported."},
		{2, []int{0, 1}, []string{Accuracy}, Options{TopK: []int{0}}, "topk: want numbers of at least 1"},
		{2, []int{0, 1}, []string{Accuracy}, Options{TopK: []int{1, 2}, TopKScalar: true}, "topk: want one number"},
		{2, []int{0, 1}, []string{Accuracy}, Options{Thresholds: []float64{math.NaN()}}, "thrs: want finite numbers"},
		{2, []int{0, 1}, []string{Accuracy}, Options{ThresholdsScalar: true}, "thrs: want one number"},
		{0, nil, []string{Accuracy}, Options{}, "at least one class"},
		{2, nil, []string{Accuracy}, Options{}, "no images"},
		{2, []int{0}, []string{Accuracy}, Options{}, "4 scores are not 2 for each of 1 images"},
		{3, []int{0}, []string{Accuracy}, Options{}, "4 scores are not 3"},
		{2, []int{0, 2}, []string{Accuracy, Support}, Options{}, "evaluating support: label 2 of image 1 is not one of the 2 classes"},
		{2, []int{-1, 1}, []string{Recall}, Options{}, "label -1 of image 0"},
	} {
		_, err := Evaluate(scores, c.classes, c.labels, c.names, c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestCheckNames(t *testing.T) {
	if err := CheckNames([]string{Accuracy, Precision, Recall, F1Score, Support, Accuracy}); err != nil {
		t.Error(err)
	}
	const want = "metric {'foo', 'mAP'} is not supported. Choose from: accuracy precision recall f1_score support"
	if err := CheckNames([]string{"foo", Accuracy, "mAP", "foo"}); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		value Value
		want  string
	}{
		{Value{Scalar: 72.41000366210938}, "72.41"},
		{Value{Scalar: 90.5}, "90.5"},
		{Value{Scalar: 100}, "100.0"},
		{Value{Scalar: 0}, "0.0"},
		{Value{Scalar: 0.004}, "0.0"},
		{Value{Scalar: 2.675}, "2.67"}, // below 2.675 in binary
		{Value{Scalar: 0.125}, "0.12"}, // half to even
		{Value{Scalar: 99.999}, "100.0"},
		{Value{Scalar: 50000}, "50000.0"},
		{Value{PerClass: []float64{100, 33.333333333333336, 0}}, "[100.0, 33.33, 0.0]"},
		{Value{Counts: []int64{30, 0}}, "[30, 0]"},
	} {
		if got := Format(c.value); got != c.want {
			t.Errorf("Format(%+v) is %s, want %s", c.value, got, c.want)
		}
	}
}
