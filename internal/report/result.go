package report

import (
	"bufio"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"repvgg/internal/atomicfile"
	"repvgg/internal/metrics"
)

// The items of a result file in addition to the metrics.
const (
	ClassScores = "class_scores" // the softmax score of each image and class
	PredScore   = "pred_score"   // the highest score of each image
	PredLabel   = "pred_label"   // the class that has it
	PredClass   = "pred_class"   // the name of that class
	Filename    = "filename"     // the name of each image
	GTLabel     = "gt_label"     // the true class of each image
)

// items are the items of the original's result file, which "all" means. The
// original does not have the extras. They must be requested by name, so that a file
// without them is the original's.
var (
	items  = []string{ClassScores, PredScore, PredLabel, PredClass}
	extras = []string{Filename, GTLabel}
)

// Result is the result of one run.
type Result struct {
	Metrics []metrics.Value
	// Scores has a row for each image, with one softmax score per class.
	Scores []float32
	// Classes are the class names.
	Classes []string
	// Filenames and Labels are the name and the true class of each image. They may be
	// nil if no output needs them.
	Filenames []string
	Labels    []int
}

// images returns the number of images.
func (r *Result) images() int { return len(r.Scores) / max(len(r.Classes), 1) }

// row returns the scores of an image.
func (r *Result) row(image int) []float32 {
	return r.Scores[image*len(r.Classes):][:len(r.Classes)]
}

// checkScores returns an error if the scores are not rows with one score per class.
func (r *Result) checkScores() error {
	if n := len(r.Classes); n == 0 || len(r.Scores)%n != 0 {
		return fmt.Errorf("%d scores are not rows of %d classes", len(r.Scores), n)
	}
	return nil
}

// checkLabels returns an error unless each image has a label in the range of
// classes.
func (r *Result) checkLabels() error {
	if err := r.checkScores(); err != nil {
		return err
	}
	if len(r.Labels) != r.images() {
		return fmt.Errorf("%d labels for %d images", len(r.Labels), r.images())
	}
	for i, label := range r.Labels {
		if label < 0 || label >= len(r.Classes) {
			return fmt.Errorf("label %d of image %d is not one of the %d classes", label, i, len(r.Classes))
		}
	}
	return nil
}

// newEncoder returns the encoder for the suffix of a file name, or nil if there is
// none.
func newEncoder(ext string, w *bufio.Writer) encoder {
	switch ext {
	case ".json":
		return &jsonEncoder{w: w}
	case ".yaml", ".yml":
		return &yamlEncoder{w: w}
	case ".pkl", ".pickle":
		return &pickleEncoder{w: w}
	}
	return nil
}

// CheckPath returns an error for a file name without a known format. Call it before
// the work whose result goes to the file.
func CheckPath(path string) error {
	ext := filepath.Ext(path)
	if newEncoder(ext, nil) == nil {
		return fmt.Errorf("unsupported format %q of result file %q: name it .json, .yaml, .yml, .pkl or .pickle", strings.TrimPrefix(ext, "."), path)
	}
	return nil
}

// Items returns the items that a list of names selects. For the original's four
// items, "all" takes precedence over "none", and "none" over their names. filename
// and gt_label are included exactly if they are named, even with "all" or "none".
func Items(names []string) ([]string, error) {
	choices := slices.Concat(items, extras, []string{"none", "all"})
	for _, name := range names {
		if !slices.Contains(choices, name) {
			return nil, fmt.Errorf("unknown result item %q: choose from %s", name, strings.Join(choices, " "))
		}
	}
	all, none := slices.Contains(names, "all"), slices.Contains(names, "none")
	var chosen []string // in the order of the file, without repetitions
	for _, name := range items {
		if all || !none && slices.Contains(names, name) {
			chosen = append(chosen, name)
		}
	}
	for _, name := range extras {
		if slices.Contains(names, name) {
			chosen = append(chosen, name)
		}
	}
	return chosen, nil
}

// Write writes the metrics, not rounded, and then the chosen items, in the format
// for the path's suffix:
//
//   - .json: what Python's json.dump writes, on one line.
//   - .yaml, .yml: sorted by key, plain lists and numbers. The original writes
//     arrays as tags that only an unsafe loader reads, and only with NumPy.
//   - .pkl, .pickle: protocol 2, the original's types: float32 arrays of scores,
//     int64 arrays of labels, lists of str, metrics as float or, one for each
//     class, as arrays of float64 (support int64).
//
// The file appears only when it is complete. Memory does not grow with the
// number of scores.
func (r *Result) Write(path string, items []string) error {
	err := CheckPath(path)
	if err == nil {
		err = r.checkItems(items)
	}
	if err == nil {
		err = atomicfile.Write(path, func(w *bufio.Writer) error {
			r.encode(newEncoder(filepath.Ext(path), w), items)
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("writing result file: %w", err)
	}
	return nil
}

func (r *Result) checkItems(items []string) error {
	for _, item := range items {
		var n int
		switch item {
		case Filename:
			n = len(r.Filenames)
		case GTLabel:
			n = len(r.Labels)
		default:
			if err := r.checkScores(); err != nil {
				return err
			}
			continue
		}
		if n != r.images() {
			return fmt.Errorf("item %q has %d values for %d images", item, n, r.images())
		}
	}
	return nil
}

// encoder writes the entries of a dict in one format. It ignores write errors,
// because the bufio.Writer below it keeps the first one.
type encoder interface {
	// begin starts the dict, and reports whether its entries must be sorted by key.
	begin() (sorted bool)
	// key starts an entry. A call that writes one value must follow.
	key(name string)
	float(v float64)
	floats(v []float64)
	ints(n int, at func(i int) int64)
	strings(n int, at func(i int) string)
	vector(n int, at func(i int) float32)
	matrix(v []float32, columns int)
	// end ends the dict.
	end()
}

// field is an entry of the file.
type field struct {
	key   string
	write func(encoder)
}

func (r *Result) encode(e encoder, items []string) {
	var fields []field
	for _, m := range r.Metrics {
		fields = append(fields, metricField(m))
	}
	for _, item := range items {
		fields = append(fields, field{item, func(e encoder) { r.writeItem(e, item) }})
	}
	if e.begin() {
		slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.key, b.key) })
	}
	for _, f := range fields {
		e.key(f.key)
		f.write(e)
	}
	e.end()
}

func metricField(m metrics.Value) field {
	return field{m.Key, func(e encoder) {
		switch {
		case m.Counts != nil:
			e.ints(len(m.Counts), func(i int) int64 { return m.Counts[i] })
		case m.PerClass != nil:
			e.floats(m.PerClass)
		default:
			e.float(m.Scalar)
		}
	}}
}

func (r *Result) writeItem(e encoder, item string) {
	n := r.images()
	predicted := func(i int) int { return metrics.ArgMax(r.row(i)) }
	switch item {
	case ClassScores:
		e.matrix(r.Scores, len(r.Classes))
	case PredScore:
		e.vector(n, func(i int) float32 { return r.row(i)[predicted(i)] })
	case PredLabel:
		e.ints(n, func(i int) int64 { return int64(predicted(i)) })
	case PredClass:
		e.strings(n, func(i int) string { return r.Classes[predicted(i)] })
	case Filename:
		e.strings(n, func(i int) string { return r.Filenames[i] })
	case GTLabel:
		e.ints(n, func(i int) int64 { return int64(r.Labels[i]) })
	}
}
