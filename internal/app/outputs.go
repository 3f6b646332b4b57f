package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"repvgg/internal/atomicfile"
	"repvgg/internal/eval"
	"repvgg/internal/jpeg"
	"repvgg/internal/report"
)

// Outputs are the files that an evaluation writes. An empty path means no file.
type Outputs struct {
	// Result is the result file: the metrics, and Items for each image (see
	// report.Items).
	Result string
	Items  []string
	// Confusion is a picture or a table of the confusion matrix. PerClass is a table of
	// the metrics of each class. Comparison is the comparison of two checkpoints.
	Confusion, PerClass, Comparison string
	// Painted is a folder for copies of the images with the predictions painted on
	// them.
	Painted string
}

// files returns the outputs that are files, each with the check of its path.
func (o *Outputs) files() []outputFile {
	all := []outputFile{
		{"result", o.Result, report.CheckPath}, {"confusion matrix", o.Confusion, report.CheckConfusionPath},
		{"comparison", o.Comparison, report.CheckComparisonPath}, {"per-class table", o.PerClass, report.CheckPerClassPath},
	}
	return slices.DeleteFunc(all, func(f outputFile) bool { return f.path == "" })
}

type outputFile struct {
	what, path string
	check      func(path string) error
}

// Check reports a path with an unknown format, a file that is named twice, and an
// output that is also an input. inputs maps each input's path to what it is.
func (o *Outputs) Check(inputs map[string]string) error {
	taken := make(map[string]string)
	for _, f := range o.files() {
		if err := f.check(f.path); err != nil {
			return err
		}
		for input, what := range inputs {
			if input != "" && atomicfile.Same(f.path, input) {
				return fmt.Errorf("%q is the %s to read: choose another name for the %s", f.path, what, f.what)
			}
		}
		path, err := filepath.Abs(f.path)
		if err != nil {
			return fmt.Errorf("writing results: %w", err)
		}
		if other := taken[path]; other != "" {
			return fmt.Errorf("the %s and the %s are both to be written to %q", other, f.what, f.path)
		}
		taken[path] = f.what
	}
	return nil
}

// checkInputs reports outputs that can't be written, so that hours of work do not
// end with a write error. Only the first process of a group writes outputs.
func (e *Evaluation) checkInputs() error {
	if e.Group.Rank > 0 {
		return nil
	}
	o := &e.Outputs
	if err := o.Check(map[string]string{e.Config: "config", e.Checkpoint: "checkpoint", e.Compare: "other checkpoint"}); err != nil {
		return err
	}
	for _, f := range o.files() {
		if err := atomicfile.Probe(f.path); err != nil {
			return fmt.Errorf("writing results %q: %w", f.path, err)
		}
	}
	if o.Painted == "" {
		return nil
	}
	if info, err := os.Stat(o.Painted); err == nil && !info.IsDir() {
		return fmt.Errorf("painting images: %q is not a folder", o.Painted)
	}
	if err := atomicfile.Probe(filepath.Join(o.Painted, "image")); err != nil {
		return fmt.Errorf("painting images into %q: %w", o.Painted, err)
	}
	return nil
}

// Write writes the outputs of an evaluation. It stops at the first one that fails.
func (o *Outcome) Write(ctx context.Context, to Outputs, h Host) error {
	if to.Result != "" {
		if err := o.Result.Write(to.Result, to.Items); err != nil {
			return err
		}
	}
	if to.Confusion != "" {
		c, err := report.NewConfusion(o.Result)
		if err != nil {
			return err
		}
		if err := c.Write(to.Confusion); err != nil {
			return err
		}
	}
	if to.PerClass != "" {
		if err := report.WritePerClass(to.PerClass, o.Result); err != nil {
			return err
		}
	}
	if to.Painted != "" {
		if err := o.paint(ctx, to.Painted, h); err != nil {
			return err
		}
	}
	if to.Comparison != "" && o.Comparison != nil {
		return o.Comparison.Write(to.Comparison)
	}
	return nil
}

// paint saves a copy of each image, with its prediction painted on it, to a folder.
// It uses all cores.
func (o *Outcome) paint(ctx context.Context, dir string, h Host) error {
	p, err := report.NewPainter(dir)
	if err != nil {
		return err
	}
	add, end := h.progress("painted", len(o.samples))
	defer end()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	for row, i := range o.samples {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			sample := o.data.Samples[i]
			m, err := eval.Open(sample)
			if err != nil {
				return err
			}
			lines, right := o.Caption(row)
			if err := p.Save(sample.Name, m, lines, right); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			add(1)
			return nil
		})
	}
	err = g.Wait()
	if cerr := p.Close(); err == nil {
		err = cerr
	}
	return err
}

// NoteDecoder adds a note if some of the files are JPEG and libjpeg-turbo is
// missing.
func (h Host) NoteDecoder(files []string) {
	why, ok := jpeg.Library()
	isJPEG := func(name string) bool {
		ext := strings.ToLower(filepath.Ext(name))
		return ext == ".jpg" || ext == ".jpeg"
	}
	if !ok && slices.ContainsFunc(files, isJPEG) {
		h.note(General, "JPEG files are decoded in Go: intact files give the same pixels, but decoding is slower, and files with damaged data are errors (%s)", why)
	}
}
