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

// Input is a file that a job reads, and what it is to the user.
type Input struct{ What, Path string }

// Output is a file that a job writes, and what it is to the user.
type Output struct{ What, Path string }

// OverwriteError is an output that would replace or change an input, or another
// output.
type OverwriteError struct{ Text string }

func (e *OverwriteError) Error() string { return e.Text }

func overwrites(format string, args ...any) error {
	return &OverwriteError{fmt.Sprintf(format, args...)}
}

// guard knows the inputs of a job. The outputs are held against them before the work
// begins: by what is on the disk, whatever paths and links lead there.
type guard struct {
	files []Input
	data  *dataset.Dataset // nil for none
}

// guard has what the caller of a job reads, and the job's configs and checkpoints.
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

// images adds a data set.
func (g *guard) images(data *dataset.Dataset) {
	for _, f := range data.Files {
		g.files = append(g.files, Input(f))
	}
	g.data = data
}

// existingOutput is an output that replaces a file.
type existingOutput struct {
	Output
	info fs.FileInfo
}

// check refuses files that are inputs, or one that is two outputs.
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
			return overwrites("writing the %s %q: it would lie in a folder of data_prefix %q, and these are the classes; give another name", o.What, o.Path, g.data.Prefix)
		}
	}
	for _, in := range g.files {
		if err := in.check(existing); err != nil {
			return err
		}
	}
	return g.checkImages(ctx, existing)
}

// check refuses outputs that would replace an input. One that is not there can't be
// replaced.
func (in Input) check(outputs []existingOutput) error {
	info, err := os.Stat(in.Path)
	for _, o := range outputs {
		if err == nil && os.SameFile(info, o.info) {
			return overwrites("writing the %s %q: it is the %s that is read; give another name", o.What, o.Path, in.What)
		}
	}
	return nil
}

// checkImages holds outputs against all images. It looks at none if no output
// replaces a file.
func (g *guard) checkImages(ctx context.Context, outputs []existingOutput) error {
	if g.data == nil || len(outputs) == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8 * runtime.GOMAXPROCS(0)) // a network disk takes its time
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

// checkFolder refuses a folder for painted images that is, contains or lies in one
// that images are read from, and outputs that would be one of the painted images.
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
	// An ann_file may list images of anywhere below the current folder: then only
	// their own folders count, and nothing is wrong with a new folder in them.
	if prefix := g.data.Prefix; g.data.Scanned || placeOf(".").below(prefix) < 0 {
		if is := relation(prefix); is != "" {
			return overwrites("painting images into %q: %s data_prefix %q, whose images are read; name a folder of its own", painted, is, prefix)
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
			return overwrites("painting images into %q: %s the folder %q, whose images are read; name a folder of its own", painted, is, folder)
		}
	}
	return g.checkPainted(painted, outputs)
}

// checkPainted refuses files in the folder of painted images that have the name of
// one.
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
				return overwrites("painting images into %q: the image %q would be the %s %q; name a folder of its own", folder, name, f.What, f.Path)
			}
		}
	}
	return nil
}
