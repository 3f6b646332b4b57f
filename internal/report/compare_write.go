package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"

	"repvgg/internal/atomicfile"
	"repvgg/internal/table"
)

// MarshalJSON writes the number, or null for NaN and infinities.
func (n number) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(v)
}

// CheckComparisonPath returns an error for a file name for which Comparison.Write
// has no format.
func CheckComparisonPath(path string) error {
	return checkSuffix("comparison", path, ".json", ".csv")
}

// Write writes the whole comparison as .json, or the images whose labels differ as
// .csv, one per line.
func (c *Comparison) Write(path string) error {
	err := CheckComparisonPath(path)
	if err == nil {
		err = atomicfile.Write(path, func(w *bufio.Writer) error {
			if filepath.Ext(path) == ".csv" {
				return c.differingTable().WriteCSV(w)
			}
			return table.WriteJSON(w, c)
		})
	}
	if err != nil {
		return fmt.Errorf("writing comparison: %w", err)
	}
	return nil
}

// differingTable returns a table of the images whose labels differ, with all
// details.
func (c *Comparison) differingTable() *table.Table {
	t := &table.Table{Columns: []table.Column{
		{Name: "image"}, {Name: "label_a"}, {Name: "class_a"}, {Name: "score_a"}, {Name: "label_b"}, {Name: "class_b"}, {Name: "score_b"},
		{Name: "gt_label"}, {Name: "gt_class"},
	}}
	for _, d := range c.Differing {
		cells := []table.Cell{table.Text(d.Image)}
		for _, p := range []Prediction{d.A, d.B} {
			cells = append(cells, table.Int(p.Label), table.Text(p.Class.Class), table.Decimal(float64(p.Score)))
		}
		t.Add(append(cells, table.Int(d.Truth.Label), table.Text(d.Truth.Class))...)
	}
	return t
}

// WriteText writes the comparison as text. It lists at most most of the images
// whose labels differ, or all if most is negative.
func (c *Comparison) WriteText(w io.Writer, most int) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "A: %s\nB: %s\n\n", table.Printable(c.A), table.Printable(c.B))
	if err := c.writeMetrics(out); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nsame label : %d of %d images, %.3f %%\n", c.Same, c.Images, c.agreement())
	if l := c.Largest; l == nil {
		fmt.Fprint(out, "largest score difference : none, all are equal\n")
	} else {
		fmt.Fprintf(out, "largest score difference : %.3g, %.7g in A and %.7g in B, for %s of %s\n",
			l.Difference, l.A, l.B, l.Class, table.Printable(l.Image))
	}
	if err := c.writeDiffering(out, most); err != nil {
		return err
	}
	return out.Flush()
}

// columnGap is the number of spaces between columns of text.
const columnGap = 3

func (c *Comparison) writeMetrics(w io.Writer) error {
	t := &table.Table{Columns: []table.Column{
		{Align: table.Right}, {Name: "A", Align: table.Right}, {Name: "B", Align: table.Right}, {Name: "B - A", Align: table.Right},
	}}
	for _, m := range c.Metrics {
		t.Add(table.Text(m.Key), table.Fixed(float64(m.A), 2), table.Fixed(float64(m.B), 2), table.Text(fmt.Sprintf("%+.2f", m.B-m.A)))
	}
	return t.WriteText(w, columnGap, columnGap)
}

func (c *Comparison) writeDiffering(w io.Writer, most int) error {
	shown := len(c.Differing)
	if most >= 0 {
		shown = min(shown, most)
	}
	if shown == 0 {
		return nil
	}
	fmt.Fprint(w, "\n")
	t := &table.Table{Columns: []table.Column{{Name: "image"}, {Name: "A"}, {Name: "score"}, {Name: "B"}, {Name: "score"}, {Name: "truth"}}}
	for _, d := range c.Differing[:shown] {
		t.Add(table.Text(d.Image), d.A.cell(), table.Fixed(float64(d.A.Score), 4), d.B.cell(), table.Fixed(float64(d.B.Score), 4), d.Truth.cell())
	}
	if err := t.WriteText(w, 0, columnGap); err != nil {
		return err
	}
	if left := len(c.Differing) - shown; left > 0 {
		fmt.Fprintf(w, "... and %d more\n", left)
	}
	return nil
}

func (c Class) cell() table.Cell { return table.Text(c.String()) }

// String returns the label and the name, or only one of them if they are the same.
func (c Class) String() string {
	label := strconv.Itoa(c.Label)
	if c.Class == "" || c.Class == label {
		return label
	}
	return label + " " + table.Printable(c.Class)
}
