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

// Outputs are the files that an evaluation writes; empty paths are none.
type Outputs struct {
	// Result has the metrics and, of each image, Items (see report.Items).
	Result string
	Items  []string
	// Confusion is a picture or table of the confusion matrix, PerClass a table of
	// the classes, Comparison that of two checkpoints.
	Confusion, PerClass, Comparison string
	// Painted is a folder for the images with their predictions on them.
	Painted string
}

// files are the outputs but for the folder, with what their paths are checked by.
func (o *Outputs) files() []outputFile {
	all := []outputFile{
		{"result", o.Result, report.CheckPath}, {"confusion matrix", o.Confusion, report.CheckConfusionPath},
		{"comparison", o.Comparison, report.CheckComparisonPath}, {"table of classes", o.PerClass, report.CheckPerClassPath},
	}
	return slices.DeleteFunc(all, func(f outputFile) bool { return f.path == "" })
}

type outputFile struct {
	what, path string
	check      func(path string) error
}

// Check reports paths that are of no known format, that name one file twice, or
// one of the inputs, which map to what they are.
func (o *Outputs) Check(inputs map[string]string) error {
	taken := make(map[string]string)
	for _, f := range o.files() {
		if err := f.check(f.path); err != nil {
			return err
		}
		for input, what := range inputs {
			if input != "" && atomicfile.Same(f.path, input) {
				return fmt.Errorf("%q is the %s: give the %s another name", f.path, what, f.what)
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

// checkInputs reports outputs that can't be made, so that hours of work do not end
// in an error of writing. Only the first process of a group writes any.
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

// Write writes the outputs of an evaluation. It stops at the first that fails.
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

// paint saves a copy of each image with its prediction in a folder, on all cores.
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

// NoteDecoder says so if some files are JPEG and are decoded without
// libjpeg-turbo.
func (h Host) NoteDecoder(files []string) {
	why, ok := jpeg.Library()
	isJPEG := func(name string) bool {
		ext := strings.ToLower(filepath.Ext(name))
		return ext == ".jpg" || ext == ".jpeg"
	}
	if !ok && slices.ContainsFunc(files, isJPEG) {
		h.note(General, "JPEG files are decoded in Go: the same pixels of intact files, but slower, and files with damaged data are refused (%s)", why)
	}
}
