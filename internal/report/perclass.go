package report

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"repvgg/internal/atomicfile"
	"repvgg/internal/metrics"
)

var perClassHeader = []string{"label", "class", "support", "predicted", "true_positives", "precision", "recall", "f1_score", "accuracy"}

// WritePerClass writes a CSV with a line for each class: its label and name, how
// many images are of it, how many were taken to be, and how many were both; then,
// in percent and unrounded, precision, recall and F1 as the metrics of these
// names have them without a threshold, and accuracy, the share of all images that
// were rightly told to be or not to be of the class.
func WritePerClass(path string, r *Result) error {
	err := writePerClass(path, r)
	if err != nil {
		return fmt.Errorf("writing table of classes: %w", err)
	}
	return nil
}

func writePerClass(path string, r *Result) error {
	c, err := NewConfusion(r)
	if err != nil {
		return err
	}
	values, err := metrics.Evaluate(r.Scores, len(r.Classes), r.Labels,
		[]string{metrics.Precision, metrics.Recall, metrics.F1Score}, metrics.Options{PerClass: true})
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w *bufio.Writer) error { return c.writePerClass(w, values) })
}

func (c *Confusion) writePerClass(w io.Writer, values []metrics.Value) error {
	out := csv.NewWriter(w)
	if err := out.Write(perClassHeader); err != nil {
		return err
	}
	images, _ := c.totals()
	for label, name := range c.Classes {
		record := []string{strconv.Itoa(label), name}
		for _, counts := range [][]int64{c.Support, c.Predicted, c.Right} {
			record = append(record, strconv.FormatInt(counts[label], 10))
		}
		for _, v := range values {
			record = append(record, decimal(v.PerClass[label]))
		}
		wrong := c.Support[label] + c.Predicted[label] - 2*c.Right[label]
		record = append(record, decimal(float64(images-wrong)/float64(images)*100))
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// decimal is the shortest decimal number that gives v back.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
