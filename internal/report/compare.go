package report

import (
	"fmt"
	"math"
	"slices"

	"repvgg/internal/metrics"
)

// Comparison compares two runs on the same images.
type Comparison struct {
	// A and B name the runs.
	A string `json:"a"`
	B string `json:"b"`
	// Images is the number of images. Same is the number with the same label in both
	// runs.
	Images int `json:"images"`
	Same   int `json:"same"`
	// Metrics are the metrics that are a single number in both runs. They always
	// include the top-1 accuracy.
	Metrics []MetricPair `json:"metrics"`
	// Largest is the largest difference of a score. It is nil if all scores are equal.
	Largest *ScoreDifference `json:"largest_difference"`
	// Differing are the images whose predicted labels differ, in order.
	Differing []Disagreement `json:"differing"`
}

// MetricPair is a metric in both runs.
type MetricPair struct {
	Key string `json:"key"`
	A   number `json:"a"`
	B   number `json:"b"`
}

// ScoreDifference is the score of one class of one image in both runs.
type ScoreDifference struct {
	Image string `json:"image"`
	Class
	A          number `json:"a"`
	B          number `json:"b"`
	Difference number `json:"difference"` // absolute value
}

// Disagreement is an image with a different predicted label in each run.
type Disagreement struct {
	Image string     `json:"image"`
	A     Prediction `json:"a"`
	B     Prediction `json:"b"`
	Truth Class      `json:"truth"`
}

// Class is a class and its name. The name is empty if the label is outside the
// range of classes.
type Class struct {
	Label int    `json:"label"`
	Class string `json:"class"`
}

// Prediction is the class with the highest score.
type Prediction struct {
	Class
	Score number `json:"score"`
}

// number is a float64 that is null in JSON if it is not finite.
type number float64

// Compare compares two runs on the same images in the same order. Scores are
// compared class by class. The class names are a's.
func Compare(nameA string, a *Result, nameB string, b *Result) (*Comparison, error) {
	if err := checkComparable(a, b); err != nil {
		return nil, fmt.Errorf("comparing %q with %q: %w", nameA, nameB, err)
	}
	c := &Comparison{A: nameA, B: nameB, Images: a.images(), Differing: []Disagreement{}}
	if err := c.compareMetrics(a, b); err != nil {
		return nil, fmt.Errorf("comparing %q with %q: %w", nameA, nameB, err)
	}
	for i := range c.Images {
		c.compareScores(i, a, b)
		rowA, rowB := a.row(i), b.row(i)
		labelA, labelB := metrics.ArgMax(rowA), metrics.ArgMax(rowB)
		if labelA == labelB {
			c.Same++
			continue
		}
		c.Differing = append(c.Differing, Disagreement{
			Image: a.Filenames[i],
			A:     Prediction{a.class(labelA), number(rowA[labelA])},
			B:     Prediction{a.class(labelB), number(rowB[labelB])},
			Truth: a.class(a.Labels[i]),
		})
	}
	return c, nil
}

func checkComparable(a, b *Result) error {
	for _, r := range []*Result{a, b} {
		if err := r.checkItems([]string{ClassScores, Filename, GTLabel}); err != nil {
			return err
		}
	}
	switch {
	case len(a.Classes) != len(b.Classes):
		return fmt.Errorf("they have %d and %d classes", len(a.Classes), len(b.Classes))
	case a.images() != b.images():
		return fmt.Errorf("they have %d and %d images", a.images(), b.images())
	case a.images() == 0:
		return fmt.Errorf("there are no images")
	}
	for i, name := range a.Filenames {
		if name != b.Filenames[i] {
			return fmt.Errorf("image %d is %q in one and %q in the other", i, name, b.Filenames[i])
		}
	}
	return nil
}

// class returns a label with its name.
func (r *Result) class(label int) Class {
	if label < 0 || label >= len(r.Classes) {
		return Class{Label: label}
	}
	return Class{label, r.Classes[label]}
}

const top1Key = metrics.Accuracy + "_top-1"

// compareMetrics pairs the metrics. The top-1 accuracies come first if they are not
// among the metrics.
func (c *Comparison) compareMetrics(a, b *Result) error {
	for _, m := range a.Metrics {
		i := slices.IndexFunc(b.Metrics, func(v metrics.Value) bool { return v.Key == m.Key })
		if i >= 0 && m.PerClass == nil && m.Counts == nil {
			c.Metrics = append(c.Metrics, MetricPair{m.Key, number(m.Scalar), number(b.Metrics[i].Scalar)})
		}
	}
	if slices.ContainsFunc(c.Metrics, func(m MetricPair) bool { return m.Key == top1Key }) {
		return nil
	}
	top1 := MetricPair{Key: top1Key}
	var err error
	if top1.A, err = a.top1(); err != nil {
		return err
	}
	if top1.B, err = b.top1(); err != nil {
		return err
	}
	c.Metrics = append([]MetricPair{top1}, c.Metrics...)
	return nil
}

func (r *Result) top1() (number, error) {
	v, err := metrics.Evaluate(r.Scores, len(r.Classes), r.Labels, []string{metrics.Accuracy}, metrics.Options{TopK: []int{1}})
	if err != nil {
		return 0, err
	}
	return number(v[0].Scalar), nil
}

// compareScores looks for the first of the largest differences. A score that is NaN
// in only one run differs more than any number.
func (c *Comparison) compareScores(image int, a, b *Result) {
	rowB := b.row(image)
	for label, x := range a.row(image) {
		y := rowB[label]
		if x == y || x != x && y != y { // equal, or NaN in both
			continue
		}
		d := math.Abs(float64(x) - float64(y))
		if l := c.Largest; l == nil || d > float64(l.Difference) || d != d && l.Difference == l.Difference {
			c.Largest = &ScoreDifference{a.Filenames[image], a.class(label), number(x), number(y), number(d)}
		}
	}
}

// agreement returns the share of images with the same label, in percent.
func (c *Comparison) agreement() float64 { return float64(c.Same) / float64(c.Images) * 100 }
