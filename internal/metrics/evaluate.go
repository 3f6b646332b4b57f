package metrics

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"repvgg/internal/python"
)

// The metrics, in the order of their results.
const (
	Accuracy  = "accuracy"
	Support   = "support"
	Precision = "precision"
	Recall    = "recall"
	F1Score   = "f1_score"
)

// metric is an entry of the registry: what a metric needs, and how it is computed.
type metric struct {
	name string
	// classLabels is set if every label must be in the range of classes. If it is not
	// set, a label outside the range always counts as wrong.
	classLabels bool
	// compute adds the metric's values to an evaluation.
	compute func(e *evaluation)
}

// registry has all metrics, in the order of their results. Add a new metric here.
var registry = []metric{
	{Accuracy, false, (*evaluation).accuracy},
	{Support, true, (*evaluation).support},
	{Precision, true, func(e *evaluation) { e.classwise(Precision, (*classCounts).precision) }},
	{Recall, true, func(e *evaluation) { e.classwise(Recall, (*classCounts).recall) }},
	{F1Score, true, func(e *evaluation) { e.classwise(F1Score, (*classCounts).f1) }},
}

// Names returns the names of the metrics, in the order in which the original lists
// them.
func Names() []string { return []string{Accuracy, Precision, Recall, F1Score, Support} }

// NeedClassLabels reports whether one of the named metrics needs every label to be
// in the range of classes.
func NeedClassLabels(names []string) bool { return slices.ContainsFunc(names, needsClassLabels) }

func needsClassLabels(name string) bool {
	return slices.ContainsFunc(registry, func(m metric) bool { return m.name == name && m.classLabels })
}

// Options are the original's metric_options.
type Options struct {
	// TopK are the values of k for the accuracy. None means 1 and 5. A k above the
	// number of classes includes all classes.
	TopK []int
	// TopKScalar means that topk was given as a number. The key of the accuracy is then
	// "accuracy" instead of "accuracy_top-1".
	TopKScalar bool
	// Thresholds drop predictions: only scores above a threshold count. Support ignores
	// them. None means 0.
	Thresholds []float64
	// ThresholdsScalar means that thrs was given as a number. The keys then have no
	// "_thr_0.50".
	ThresholdsScalar bool
	// PerClass, which is average_mode "none", gives one value per class instead of
	// their mean (for support, their sum). Accuracy is always a single value.
	PerClass bool
}

// Value is one result. It is in PerClass or Counts, if one of them is not nil, and
// otherwise in Scalar.
type Value struct {
	Key string
	// Scalar is in percent, except for support. Accuracies are exact float32 values,
	// because the original computes them in float32.
	Scalar   float64
	PerClass []float64
	Counts   []int64 // the support of each class
	// Note explains a value that may be surprising. It is usually empty.
	Note string
}

// CheckNames returns an error if a name is not that of a metric.
func CheckNames(names []string) error {
	var unknown []string
	for _, name := range names {
		if quoted := python.String(name); !slices.Contains(Names(), name) && !slices.Contains(unknown, quoted) {
			unknown = append(unknown, quoted)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return fmt.Errorf("metric {%s} is not supported. Choose from: %s", strings.Join(unknown, ", "), strings.Join(Names(), " "))
}

// Check returns an error if the options are invalid.
func (o Options) Check() error {
	for _, k := range o.TopK {
		if k < 1 {
			return fmt.Errorf("metric option topk: want numbers of at least 1, got %d", k)
		}
	}
	if o.TopKScalar && len(o.TopK) != 1 {
		return fmt.Errorf("metric option topk: want one number, got %d", len(o.TopK))
	}
	for _, thr := range o.Thresholds {
		if math.IsNaN(thr) || math.IsInf(thr, 0) {
			return fmt.Errorf("metric option thrs: want finite numbers, got %v", thr)
		}
	}
	if o.ThresholdsScalar && len(o.Thresholds) != 1 {
		return fmt.Errorf("metric option thrs: want one number, got %d", len(o.Thresholds))
	}
	return nil
}

// Evaluate computes the named metrics. scores has a row of one score per class for
// each image, and labels has the true class of each image. The results are in the
// original's order, whatever the order of names: accuracies, support, precision,
// recall, F1, each by threshold.
//
// For accuracy, a label outside the range of classes always counts as wrong. For
// the other metrics it is an error.
func Evaluate(scores []float32, classes int, labels []int, names []string, opts Options) ([]Value, error) {
	if err := errors.Join(CheckNames(names), opts.Check()); err != nil {
		return nil, err
	}
	switch {
	case classes < 1:
		return nil, fmt.Errorf("evaluating: want at least one class, got %d", classes)
	case len(labels) == 0:
		return nil, errors.New("evaluating: there are no images")
	case len(scores)%classes != 0 || len(scores)/classes != len(labels):
		return nil, fmt.Errorf("evaluating: %d scores are not %d for each of %d images", len(scores), classes, len(labels))
	}
	e := evaluation{scores: scores, classes: classes, labels: labels, opts: opts}
	if opts.TopK == nil {
		e.opts.TopK = []int{1, 5}
	}
	if opts.Thresholds == nil {
		e.opts.Thresholds, e.opts.ThresholdsScalar = []float64{0}, true
	}
	if i := slices.IndexFunc(names, needsClassLabels); i >= 0 {
		for image, label := range labels {
			if label < 0 || label >= classes {
				return nil, fmt.Errorf("evaluating %s: label %d of image %d is not one of the %d classes", names[i], label, image, classes)
			}
		}
	}
	for _, m := range registry {
		if slices.Contains(names, m.name) {
			m.compute(&e)
		}
	}
	return e.values, nil
}

// evaluation collects the values of one call.
type evaluation struct {
	scores  []float32
	classes int
	labels  []int
	opts    Options
	values  []Value
	// byThreshold has the counts at each threshold, which the per-class metrics share.
	// It is nil until it is needed.
	byThreshold []classCounts
}

func (e *evaluation) row(image int) []float32 {
	return e.scores[image*e.classes:][:e.classes]
}

// add appends a value. As in a Python dict, a repeated key keeps its place and
// takes the last value. Two thresholds that print alike give equal keys.
func (e *evaluation) add(v Value) {
	for i := range e.values {
		if e.values[i].Key == v.Key {
			e.values[i] = v
			return
		}
	}
	e.values = append(e.values, v)
}

// thresholdKey returns the key of a metric at a threshold.
func (e *evaluation) thresholdKey(key string, threshold float64) string {
	if e.opts.ThresholdsScalar {
		return key
	}
	return key + "_thr_" + strconv.FormatFloat(threshold, 'f', 2, 64)
}
