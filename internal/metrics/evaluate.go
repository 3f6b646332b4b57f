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

// metric is an entry of the registry: what a metric needs and how it is computed.
type metric struct {
	name string
	// classLabels is set if every label must be one of the classes. Without it, a label
	// that is no class is merely never right.
	classLabels bool
	// compute adds the metric's values to an evaluation.
	compute func(e *evaluation)
}

// registry has all metrics in the order of their results. A new one is an entry here.
var registry = []metric{
	{Accuracy, false, (*evaluation).accuracy},
	{Support, true, (*evaluation).support},
	{Precision, true, func(e *evaluation) { e.classwise(Precision, (*classCounts).precision) }},
	{Recall, true, func(e *evaluation) { e.classwise(Recall, (*classCounts).recall) }},
	{F1Score, true, func(e *evaluation) { e.classwise(F1Score, (*classCounts).f1) }},
}

// Names are the metrics' names in the order in which the original lists them.
func Names() []string { return []string{Accuracy, Precision, Recall, F1Score, Support} }

// NeedClassLabels reports whether one of some metrics needs every label to be one
// of the classes.
func NeedClassLabels(names []string) bool { return slices.ContainsFunc(names, needsClassLabels) }

func needsClassLabels(name string) bool {
	return slices.ContainsFunc(registry, func(m metric) bool { return m.name == name && m.classLabels })
}

// Options are the original's metric_options.
type Options struct {
	// TopK are the k of the accuracies; none means 1 and 5. A k above the
	// number of classes counts all of them.
	TopK []int
	// TopKScalar tells that topk was given as a number: the key of the accuracy
	// is then "accuracy" instead of "accuracy_top-1".
	TopKScalar bool
	// Thresholds drop predictions: only a score above one counts, for all
	// metrics but support. None means 0.
	Thresholds []float64
	// ThresholdsScalar tells that thrs was given as a number: keys then lack
	// "_thr_0.50".
	ThresholdsScalar bool
	// PerClass asks for one value for each class instead of their mean (or, for
	// support, sum): average_mode "none". Accuracy always is a single value.
	PerClass bool
}

// Value is one result. Exactly one of PerClass, Counts and Scalar is meant: the
// first that is not nil, else Scalar.
type Value struct {
	Key string
	// Scalar is in percent, except for support. Accuracies are exact float32
	// values, since the original computes them as such.
	Scalar   float64
	PerClass []float64
	Counts   []int64 // support of each class
	// Note says what about the value may surprise; mostly empty.
	Note string
}

// CheckNames reports names that are no metrics.
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

// Check reports options that cannot be computed.
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

// Evaluate computes the named metrics. scores are one row of classes for each
// image, labels the true class of each. The order of the results is the
// original's, whatever the order of names: accuracies, support, precision,
// recall, F1, each by threshold.
//
// A label that is no class is merely never right for accuracy; the other
// metrics refuse it.
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
	// byThreshold are the counts that classwise metrics share; nil until one asks.
	byThreshold []classCounts
}

func (e *evaluation) row(image int) []float32 {
	return e.scores[image*e.classes:][:e.classes]
}

// add appends a value. As in a Python dict a repeated key, such as of two
// thresholds that print alike, keeps its place and takes the last value.
func (e *evaluation) add(v Value) {
	for i := range e.values {
		if e.values[i].Key == v.Key {
			e.values[i] = v
			return
		}
	}
	e.values = append(e.values, v)
}

// thresholdKey is the key of a metric at a threshold.
func (e *evaluation) thresholdKey(key string, threshold float64) string {
	if e.opts.ThresholdsScalar {
		return key
	}
	return key + "_thr_" + strconv.FormatFloat(threshold, 'f', 2, 64)
}
