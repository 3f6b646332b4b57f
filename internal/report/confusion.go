package report

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"repvgg/internal/atomicfile"
	"repvgg/internal/figure/matrix"
	"repvgg/internal/metrics"
	"repvgg/internal/table"
)

// Confusion is a confusion matrix. It stores only counts above zero, so that memory
// grows with the number of images, not with the square of the number of classes.
type Confusion struct {
	Classes []string
	// Support is the number of images of each class, Predicted the number of images
	// predicted as each class, and Right the number of right predictions of each class.
	Support, Predicted, Right []int64
	rows                      [][]matrix.Cell
}

// NewConfusion counts the predictions of a result. The prediction for an image is
// the class with the highest score. Each image must have a label.
func NewConfusion(r *Result) (*Confusion, error) {
	if err := r.checkLabels(); err != nil {
		return nil, fmt.Errorf("counting predictions: %w", err)
	}
	n := len(r.Classes)
	c := &Confusion{
		Classes: r.Classes, Support: make([]int64, n), Predicted: make([]int64, n), Right: make([]int64, n),
		rows: make([][]matrix.Cell, n),
	}
	type pair struct{ label, predicted int }
	counts := make(map[pair]int64)
	for i, label := range r.Labels {
		p := metrics.ArgMax(r.row(i))
		counts[pair{label, p}]++
		c.Support[label]++
		c.Predicted[p]++
		if p == label {
			c.Right[label]++
		}
	}
	for at, count := range counts {
		c.rows[at.label] = append(c.rows[at.label], matrix.Cell{Predicted: at.predicted, Count: count})
	}
	for _, row := range c.rows {
		slices.SortFunc(row, func(a, b matrix.Cell) int { return a.Predicted - b.Predicted })
	}
	return c, nil
}

// CheckConfusionPath returns an error for a file name for which Write has no
// format.
func CheckConfusionPath(path string) error {
	return checkSuffix("confusion matrix", path, ".png", ".svg", ".csv")
}

// Write draws the matrix as .png or .svg, or writes its counts as .csv. The CSV has
// a line for each true class, with its label and name, and a column for each
// predicted class, headed by its label.
func (c *Confusion) Write(path string) error {
	err := CheckConfusionPath(path)
	if err == nil {
		err = atomicfile.Write(path, func(w *bufio.Writer) error {
			switch filepath.Ext(path) {
			case ".png":
				return c.picture().WritePNG(w)
			case ".svg":
				return c.picture().WriteSVG(w)
			}
			return c.writeCSV(w)
		})
	}
	if err != nil {
		return fmt.Errorf("writing confusion matrix: %w", err)
	}
	return nil
}

func (c *Confusion) picture() *matrix.Matrix {
	return &matrix.Matrix{Classes: c.Classes, Support: c.Support, Rows: c.rows}
}

// writeCSV expands one row of the matrix at a time, because most counts are zero.
func (c *Confusion) writeCSV(w io.Writer) error {
	names := []string{"label", "class"}
	for label := range c.Classes {
		names = append(names, strconv.Itoa(label))
	}
	out := table.NewCSV(w, names)
	cells := make([]table.Cell, len(names))
	for label, row := range c.rows {
		cells[0], cells[1] = table.Int(label), table.Text(c.Classes[label])
		counts := cells[2:]
		for i := range counts {
			counts[i] = table.Int(0)
		}
		for _, cell := range row {
			counts[cell.Predicted] = table.Int(cell.Count)
		}
		out.Add(cells...)
	}
	return out.Flush()
}
