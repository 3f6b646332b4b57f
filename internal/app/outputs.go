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

// files are the outputs but for the folder.
func (o *Outputs) files() []Output {
	all := []Output{{"result", o.Result}, {"confusion matrix", o.Confusion}, {"comparison", o.Comparison}, {"table of classes", o.PerClass}}
	return slices.DeleteFunc(all, func(f Output) bool { return f.Path == "" })
}

// Check reports paths that are of no known format.
func (o *Outputs) Check() error {
	for _, f := range []struct {
		path  string
		check func(path string) error
	}{
		{o.Result, report.CheckPath}, {o.Confusion, report.CheckConfusionPath},
		{o.Comparison, report.CheckComparisonPath}, {o.PerClass, report.CheckPerClassPath},
	} {
		if f.path == "" {
			continue
		}
		if err := f.check(f.path); err != nil {
			return err
		}
	}
	return nil
}

// probe reports outputs that can't be made, so that hours of work do not end in an
// error of writing. Only the first process of a group writes any.
func (e *Evaluation) probe() error {
	o := &e.Outputs
	if err := o.Check(); err != nil || e.Group.Rank > 0 {
		return err
	}
	for _, f := range o.files() {
		if err := atomicfile.Probe(f.Path); err != nil {
			return fmt.Errorf("writing results %q: %w", f.Path, err)
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

// checkOutputs refuses outputs that would replace or change what the job reads.
func (j *job) checkOutputs(ctx context.Context, configs []string) error {
	g := j.host.guard(configs, j.Checkpoint, j.Compare)
	g.images(j.data)
	files := j.Outputs.files()
	if err := g.check(ctx, files...); err != nil {
		return err
	}
	if j.Group.World > 1 && j.data.Scanned && placeOf(j.Dir).below(j.data.Prefix) >= 0 {
		return overwrites("gathering results in %q: it would be a folder of data_prefix %q, and these are the classes; name another", j.Dir, j.data.Prefix)
	}
	if j.Outputs.Painted == "" {
		return nil
	}
	return g.checkFolder(j.Outputs.Painted, files)
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
			m, err := eval.Open(ctx, sample)
			if err != nil {
				return err
			}
			lines, right := o.Caption(row)
			if err := p.Save(sample.Name, sample.Path, m, lines, right); err != nil {
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
