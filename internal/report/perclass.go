package report

import (
	"bufio"
	"fmt"

	"repvgg/internal/atomicfile"
	"repvgg/internal/metrics"
	"repvgg/internal/table"
)

// CheckPerClassPath returns an error for a file name for which WritePerClass has no
// format.
func CheckPerClassPath(path string) error {
	return checkSuffix("per-class table", path, ".csv")
}

// WritePerClass writes a CSV file with a line for each class: its label and name,
// the number of images, the number of predictions, and the number of right
// predictions. Then follow precision, recall and F1, as the metrics compute them
// without a threshold, and the accuracy, which is the share of all images for which
// it was rightly predicted whether they are of the class. These are in percent and
// not rounded.
func WritePerClass(path string, r *Result) error {
	err := writePerClass(path, r)
	if err != nil {
		return fmt.Errorf("writing per-class table: %w", err)
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

// perClass returns a table with a row for each class. values are precision, recall
// and F1.
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
