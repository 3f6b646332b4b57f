// Package report writes what a test measured: the result file of the original's
// tools/test.py.
package report

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"repvgg/internal/metrics"
)

// The items of a result beside its metrics.
const (
	ClassScores = "class_scores"
	PredScore   = "pred_score"
	PredLabel   = "pred_label"
	PredClass   = "pred_class"
)

var items = []string{ClassScores, PredScore, PredLabel, PredClass}

// Result is what one run gave.
type Result struct {
	Metrics []metrics.Value
	// Scores are rows of one softmax score for each class.
	Scores []float32
	// Classes are the names of the classes.
	Classes []string
}

// CheckPath reports a file name that no format is known for. Call it before the
// work whose result the file is to hold.
func CheckPath(path string) error {
	if ext := filepath.Ext(path); ext != ".json" {
		return fmt.Errorf("unsupported format %q of result file %q: name it .json", strings.TrimPrefix(ext, "."), path)
	}
	return nil
}

// Items gives the items that --out-items asks for: "all" wins over the others,
// "none" over the rest.
func Items(names []string) ([]string, error) {
	for _, name := range names {
		if name != "all" && name != "none" && !slices.Contains(items, name) {
			return nil, fmt.Errorf("out item %q is unknown: choose from %s none all", name, strings.Join(items, " "))
		}
	}
	switch {
	case slices.Contains(names, "all"):
		return items, nil
	case slices.Contains(names, "none"):
		return nil, nil
	}
	var chosen []string // in the order of the file, each once
	for _, name := range items {
		if slices.Contains(names, name) {
			chosen = append(chosen, name)
		}
	}
	return chosen, nil
}

// Write writes the result as JSON, as Python's json.dump does: one line, the
// metrics unrounded, then the chosen items. The file appears only when it is
// complete.
func (r *Result) Write(path string, items []string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing result file: %w", err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	tmp := path + ".tmp"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	defer os.Remove(tmp) // after the rename there is nothing to remove
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<16)
	r.writeJSON(w, items)
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// writeJSON leaves errors to the writer, which keeps the first.
func (r *Result) writeJSON(w *bufio.Writer, items []string) {
	separator := "{"
	key := func(name string) {
		w.WriteString(separator + quote(name) + ": ")
		separator = ", "
	}
	for _, m := range r.Metrics {
		key(m.Key)
		switch {
		case m.Counts != nil:
			writeList(w, m.Counts, func(n int64) string { return strconv.FormatInt(n, 10) })
		case m.PerClass != nil:
			writeList(w, m.PerClass, pyFloat)
		default:
			w.WriteString(pyFloat(m.Scalar))
		}
	}
	for _, item := range items {
		key(item)
		r.writeItem(w, item)
	}
	if separator == "{" {
		w.WriteString("{")
	}
	w.WriteString("}")
}

func (r *Result) writeItem(w *bufio.Writer, item string) {
	n := len(r.Classes)
	rows := slices.Collect(slices.Chunk(r.Scores, n))
	exact := func(v float32) string { return pyFloat(float64(v)) }
	switch item {
	case ClassScores:
		w.WriteString("[")
		for i, row := range rows {
			if i > 0 {
				w.WriteString(", ")
			}
			writeList(w, row, exact)
		}
		w.WriteString("]")
	case PredScore:
		writeList(w, rows, func(row []float32) string { return exact(row[metrics.ArgMax(row)]) })
	case PredLabel:
		writeList(w, rows, func(row []float32) string { return strconv.Itoa(metrics.ArgMax(row)) })
	case PredClass:
		writeList(w, rows, func(row []float32) string { return quote(r.Classes[metrics.ArgMax(row)]) })
	}
}

func writeList[T any](w *bufio.Writer, values []T, format func(T) string) {
	w.WriteByte('[')
	for i, v := range values {
		if i > 0 {
			w.WriteString(", ")
		}
		w.WriteString(format(v))
	}
	w.WriteByte(']')
}

// pyFloat is Python's repr of a float: the fewest digits that give it back, an
// exponent below 1e-4 and from 1e16 on.
func pyFloat(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote writes a string as json.dump does: whatever is not ASCII as \uXXXX.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c >= ' ' && c < 0x7f:
			b.WriteRune(c)
		default:
			for _, unit := range utf16.Encode([]rune{c}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}
