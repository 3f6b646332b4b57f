package report

import (
	"bufio"
	"fmt"

	"repvgg/internal/atomicfile"
	"repvgg/internal/metrics"
	"repvgg/internal/table"
)

// CheckPerClassPath reports a file name that WritePerClass has no format for.
func CheckPerClassPath(path string) error {
	return checkSuffix("table of classes", path, ".csv")
}

// WritePerClass writes a CSV with a line for each class: its label and name, how
// many images are of it, how many were taken to be, and how many were both; then,
// in percent and unrounded, precision, recall and F1 as the metrics of these
// names have them without a threshold, and accuracy, the share of all images that
// were rightly taken to be of the class, or not to be.
func WritePerClass(path string, r *Result) error {
	err := writePerClass(path, r)
	if err != nil {
		return fmt.Errorf("writing table of classes: %w", err)
	}
	return nil
}

func writePerClass(path string, r *Result) error {
	if err := CheckPerClassPath(path); err != nil {
		return err
	}
	c, err := NewConfusion(r)
	if err != nil {
		return err
	}
	values, err := metrics.Evaluate(r.Scores, len(r.Classes), r.Labels,
		[]string{metrics.Precision, metrics.Recall, metrics.F1Score}, metrics.Options{PerClass: true})
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w *bufio.Writer) error { return c.perClass(values).WriteCSV(w) })
}

// perClass has a row for each class; values are precision, recall and F1.
func (c *Confusion) perClass(values []metrics.Value) *table.Table {
	t := &table.Table{Columns: []table.Column{
		{Name: "label"}, {Name: "class"}, {Name: "support"}, {Name: "predicted"}, {Name: "true_positives"},
		{Name: "precision"}, {Name: "recall"}, {Name: "f1_score"}, {Name: "accuracy"},
	}}
	images := int64(0)
	for _, n := range c.Support {
		images += n
	}
	for label, name := range c.Classes {
		cells := []table.Cell{table.Int(label), table.Text(name)}
		for _, counts := range [][]int64{c.Support, c.Predicted, c.Right} {
			cells = append(cells, table.Int(counts[label]))
		}
		for _, v := range values {
			cells = append(cells, table.Decimal(v.PerClass[label]))
		}
		wrong := c.Support[label] + c.Predicted[label] - 2*c.Right[label]
		t.Add(append(cells, table.Decimal(float64(images-wrong)/float64(images)*100))...)
	}
	return t
}
