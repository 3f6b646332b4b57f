package app

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"repvgg/internal/dataset"
	"repvgg/internal/report"
)

// Input is a file that a job reads, and the word for it in messages.
type Input struct{ What, Path string }

// Output is a file that a job writes, and the word for it in messages.
type Output struct{ What, Path string }

// OverwriteError is the error for an output that would replace or change an input
// or another output.
type OverwriteError struct{ Text string }

func (e *OverwriteError) Error() string { return e.Text }

func overwrites(format string, args ...any) error {
	return &OverwriteError{fmt.Sprintf(format, args...)}
}

// guard knows the inputs of a job. It compares the outputs with them before the
// work begins. It compares files, not paths, because several paths and links can
// lead to a file.
type guard struct {
	files []Input
	data  *dataset.Dataset // nil if there is none
}

// guard returns a guard for the caller's inputs and the job's configs and
// checkpoints.
func (h Host) guard(configs []string, checkpoints ...string) *guard {
	g := &guard{files: slices.Clone(h.Inputs)}
	for _, path := range configs {
		g.files = append(g.files, Input{"config", path})
	}
	for _, path := range checkpoints {
		if path != "" {
			g.files = append(g.files, Input{"checkpoint", path})
		}
	}
	return g
}

// images adds a data set to the inputs.
func (g *guard) images(data *dataset.Dataset) {
	for _, f := range data.Files {
		g.files = append(g.files, Input(f))
	}
	g.data = data
}

// existingOutput is an output that would replace an existing file.
type existingOutput struct {
	Output
	info fs.FileInfo
}

// check returns an error if an output is an input, or if two outputs are the same
// file.
func (g *guard) check(ctx context.Context, outputs ...Output) error {
	taken := make(map[string]string)
	var existing []existingOutput
	for _, o := range outputs {
		if o.Path == "" {
			continue
		}
		path := fileAt(o.Path)
		if other := taken[path]; other != "" {
			return overwrites("the %s and the %s are both to be written to %q", other, o.What, o.Path)
		}
		taken[path] = o.What
		if info, err := os.Stat(o.Path); err == nil {
			existing = append(existing, existingOutput{o, info})
		}
		if g.data != nil && g.data.Scanned && placeOf(filepath.Dir(o.Path)).below(g.data.Prefix) > 0 {
			return overwrites("writing the %s %q: it would be in a folder of data_prefix %q, and these folders are the classes; choose another name", o.What, o.Path, g.data.Prefix)
		}
	}
	for _, in := range g.files {
		if err := in.check(existing); err != nil {
			return err
		}
	}
	return g.checkImages(ctx, existing)
}

// check returns an error if an output would replace the input. An input that does
// not exist can't be replaced.
func (in Input) check(outputs []existingOutput) error {
	info, err := os.Stat(in.Path)
	for _, o := range outputs {
		if err == nil && os.SameFile(info, o.info) {
			return overwrites("writing the %s %q: this is the %s to read; choose another name", o.What, o.Path, in.What)
		}
	}
	return nil
}

// checkImages compares the outputs with all images. If no output replaces a file,
// it looks at no image.
func (g *guard) checkImages(ctx context.Context, outputs []existingOutput) error {
	if g.data == nil || len(outputs) == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8 * runtime.GOMAXPROCS(0)) // a network disk is slow
	const share = 256
	for samples := range slices.Chunk(g.data.Samples, share) {
		group.Go(func() error {
			for i := range samples {
				if err := ctx.Err(); err != nil || samples[i].Array != nil {
					return err
				}
				if err := (Input{fmt.Sprintf("image %q", samples[i].Path), samples[i].Path}).check(outputs); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// checkFolder returns an error if the folder for painted images is, contains or is
// inside a folder of the data set's images, or if an output would be one of the
// painted images.
func (g *guard) checkFolder(painted string, outputs []Output) error {
	at := placeOf(painted)
	relation := func(folder string) string {
		down := at.below(folder)
		switch {
		case down == 0:
			return "it is"
		case down > 0:
			return "it lies in"
		case placeOf(folder).below(painted) > 0:
			return "it contains"
		}
		return ""
	}
	// An ann_file may list images from anywhere below the current folder. Then only the
	// folders of the images matter, and a new folder in them is fine.
	if prefix := g.data.Prefix; g.data.Scanned || placeOf(".").below(prefix) < 0 {
		if is := relation(prefix); is != "" {
			return overwrites("painting images into %q: %s data_prefix %q, whose images are read; choose a separate folder", painted, is, prefix)
		}
	}
	seen := make(map[string]bool)
	for i := range g.data.Samples {
		folder := filepath.Dir(g.data.Samples[i].Path)
		if seen[folder] || g.data.Samples[i].Array != nil {
			continue
		}
		seen[folder] = true
		if is := relation(folder); is == "it is" || is == "it contains" {
			return overwrites("painting images into %q: %s the folder %q, whose images are read; choose a separate folder", painted, is, folder)
		}
	}
	return g.checkPainted(painted, outputs)
}

// checkPainted returns an error if an output has the path of a painted image.
func (g *guard) checkPainted(folder string, outputs []Output) error {
	files := slices.Clone(outputs)
	for _, in := range g.files {
		files = append(files, Output(in))
	}
	root := resolved(folder)
	for _, f := range files {
		rel, err := filepath.Rel(root, fileAt(f.Path))
		if f.Path == "" || err != nil || !filepath.IsLocal(rel) {
			continue
		}
		for i := range g.data.Samples {
			if name := g.data.Samples[i].Name; filepath.FromSlash(report.PaintedName(name)) == rel {
				return overwrites("painting images into %q: the image %q would be the %s %q; choose a separate folder", folder, name, f.What, f.Path)
			}
		}
	}
	return nil
}
