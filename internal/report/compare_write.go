package report

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"repvgg/internal/atomicfile"
)

// MarshalJSON writes the number, null for NaN and infinities.
func (n number) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(v)
}

// CheckComparisonPath reports a file name that Comparison.Write has no format
// for.
func CheckComparisonPath(path string) error {
	switch ext := filepath.Ext(path); ext {
	case ".json", ".csv":
		return nil
	default:
		return fmt.Errorf("unsupported format %q of comparison %q: name it .json or .csv", ext, path)
	}
}

// Write writes the whole comparison as .json, or the images whose labels differ
// as .csv, one a line.
func (c *Comparison) Write(path string) error {
	err := CheckComparisonPath(path)
	if err == nil {
		err = atomicfile.Write(path, func(w *bufio.Writer) error {
			if filepath.Ext(path) == ".csv" {
				return c.writeCSV(w)
			}
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			return e.Encode(c)
		})
	}
	if err != nil {
		return fmt.Errorf("writing comparison: %w", err)
	}
	return nil
}

func (c *Comparison) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"image", "label_a", "class_a", "score_a", "label_b", "class_b", "score_b", "gt_label", "gt_class"}); err != nil {
		return err
	}
	for _, d := range c.Differing {
		record := []string{d.Image}
		for _, p := range []Prediction{d.A, d.B} {
			record = append(record, strconv.Itoa(p.Label), p.Class.Class, decimal(float64(p.Score)))
		}
		if err := out.Write(append(record, strconv.Itoa(d.Truth.Label), d.Truth.Class)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// WriteText writes the comparison as a table, with at most most of the images
// whose labels differ; all of them if most is negative.
func (c *Comparison) WriteText(w io.Writer, most int) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "A: %s\nB: %s\n\n", Printable(c.A), Printable(c.B))
	if err := c.writeMetrics(out); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nsame label : %d of %d images, %.3f %%\n", c.Same, c.Images, c.agreement())
	if l := c.Largest; l == nil {
		fmt.Fprint(out, "largest score difference : none, all are equal\n")
	} else {
		fmt.Fprintf(out, "largest score difference : %.3g, %.7g in A and %.7g in B, for %s of %s\n",
			l.Difference, l.A, l.B, l.Class, Printable(l.Image))
	}
	if err := c.writeDiffering(out, most); err != nil {
		return err
	}
	return out.Flush()
}

func (c *Comparison) writeMetrics(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\tA\tB\tB - A\t\n")
	for _, m := range c.Metrics {
		fmt.Fprintf(table, "%s\t%.2f\t%.2f\t%+.2f\t\n", m.Key, m.A, m.B, m.B-m.A)
	}
	return table.Flush()
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
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprint(table, "image\tA\tscore\tB\tscore\ttruth\n")
	for _, d := range c.Differing[:shown] {
		fmt.Fprintf(table, "%s\t%s\t%.4f\t%s\t%.4f\t%s\n", Printable(d.Image), d.A.Class, d.A.Score, d.B.Class, d.B.Score, d.Truth)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if left := len(c.Differing) - shown; left > 0 {
		fmt.Fprintf(w, "... and %d more\n", left)
	}
	return nil
}

// String is the label and the name, once if they are the same.
func (c Class) String() string {
	label := strconv.Itoa(c.Label)
	if c.Class == "" || c.Class == label {
		return label
	}
	return label + " " + Printable(c.Class)
}

// Printable quotes a text that could change what a terminal shows.
func Printable(s string) string {
	if oneLine(s) != s {
		return strconv.Quote(s)
	}
	return s
}
