package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"repvgg/internal/atomicfile"
)

// Report is the outcome of a run of bench.
type Report struct {
	Machine Machine `json:"machine"`
	Rows    []Row   `json:"rows"`
}

// writers of the formats by name.
var writers = []struct {
	name, extension string
	write           func(*Report, io.Writer) error
}{
	{"text", ".txt", (*Report).writeText},
	{"json", ".json", (*Report).writeJSON},
	{"csv", ".csv", (*Report).writeCSV},
	{"markdown", ".md", (*Report).writeMarkdown},
	{"benchstat", ".bench", (*Report).writeBenchstat},
	{"html", ".html", (*Report).writeHTML},
}

// Formats are the names that Write takes.
func Formats() []string {
	var names []string
	for _, w := range writers {
		names = append(names, w.name)
	}
	return names
}

// FormatOf is the format that a file's name asks for.
func FormatOf(path string) (string, error) {
	var known []string
	for _, w := range writers {
		if strings.EqualFold(filepath.Ext(path), w.extension) {
			return w.name, nil
		}
		known = append(known, w.extension)
	}
	return "", fmt.Errorf("%q: want a name that ends in one of %s", path, strings.Join(known, " "))
}

// Write writes the report in one of Formats.
func (r *Report) Write(w io.Writer, format string) error {
	for _, known := range writers {
		if known.name == format {
			return known.write(r, w)
		}
	}
	return fmt.Errorf("format %q is unknown: want one of %s", format, strings.Join(Formats(), " "))
}

// WriteFile writes the report to a file in the format of its name.
func (r *Report) WriteFile(path string) error {
	format, err := FormatOf(path)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w *bufio.Writer) error { return r.Write(w, format) })
}

func (r *Report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// settings divides the rows by how they were measured, in their order.
func (r *Report) settings() [][]*Row {
	var groups [][]*Row
	for i := range r.Rows {
		row := &r.Rows[i]
		at := slices.IndexFunc(groups, func(g []*Row) bool { return g[0].sameSetting(row) })
		if at < 0 {
			at = len(groups)
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], row)
	}
	return groups
}

// notes are the rows' notes, each with the rows that it is about.
func (r *Report) notes() []string {
	var order []string
	about := make(map[string][]string)
	for i := range r.Rows {
		for _, n := range r.Rows[i].Notes {
			if about[n] == nil {
				order = append(order, n)
			}
			if label := r.label(&r.Rows[i]); !slices.Contains(about[n], label) {
				about[n] = append(about[n], label)
			}
		}
	}
	notes := make([]string, len(order))
	for i, n := range order {
		notes[i] = strings.Join(about[n], "; ") + ": " + n
	}
	return notes
}

// label names a row with no more than it takes to tell it from the others.
func (r *Report) label(row *Row) string {
	label := row.Variant + " " + row.Form
	if first := &r.Rows[0]; slices.ContainsFunc(r.Rows, func(o Row) bool { return !first.sameSetting(&o) }) {
		label = row.Label()
	}
	return label
}

// weights says with which weights the rows were measured.
func (r *Report) weights() string {
	var names []string
	for i := range r.Rows {
		if w := r.Rows[i].Weights; !slices.Contains(names, w) {
			names = append(names, w)
		}
	}
	return strings.Join(names, ", ")
}

// about says how the figures are to be read.
func (r *Report) about() string {
	const counted = "FLOPs are counted as the published table counts them."
	if !slices.ContainsFunc(r.Rows, func(row Row) bool { return row.measured() }) {
		return counted + " Nothing was measured."
	}
	single := ""
	if slices.ContainsFunc(r.Rows, func(row Row) bool { return row.measured() && row.LowLatency() }) {
		single = " On the CPU a batch of 1 takes the algorithms that are fastest for single images, with other rounding; larger batches do not."
	}
	return "Weights: " + r.weights() + ". A latency is that of a whole batch, the median and the 10th and 90th percentile of single runs. " +
		counted + " GFLOP/s counts two for each multiply-add of a direct convolution and of the head, " +
		"so that an algorithm with fewer multiplications can pass 100 % of the peak." + single
}
