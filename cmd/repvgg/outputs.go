package main

import (
	"fmt"
	"os"
	"path/filepath"

	"repvgg/internal/atomicfile"
	"repvgg/internal/report"
)

// checkOutputs checks the files to write, so that hours of work do not end in an
// error of writing: their formats, that they are different ones and none of the
// input, and on the process that writes them that they can be made.
func (e *evaluation) checkOutputs(cfgName, ckptPath string) error {
	s := e.settings
	taken := map[string]string{} // absolute path: flag
	for _, f := range []struct {
		flag, path string
		check      func(string) error
	}{
		{"--out", s.Out, report.CheckPath}, {"--confusion", s.Confusion, report.CheckConfusionPath},
		{"--compare-out", s.CompareOut, report.CheckComparisonPath}, {"--per-class", s.PerClass, report.CheckPerClassPath},
	} {
		if f.path == "" {
			continue
		}
		if err := f.check(f.path); err != nil {
			return usageError{err}
		}
		for what, input := range map[string]string{"config": cfgName, "checkpoint": ckptPath, "other checkpoint": s.Compare} {
			if atomicfile.Same(f.path, input) {
				return usageError{fmt.Errorf("%q is the %s: give %s another name", f.path, what, f.flag)}
			}
		}
		path, err := filepath.Abs(f.path)
		if err != nil {
			return fmt.Errorf("writing results: %w", err)
		}
		if other := taken[path]; other != "" {
			return usageError{fmt.Errorf("%s and %s both name %q", other, f.flag, f.path)}
		}
		taken[path] = f.flag
		if err := e.probe(f.path); err != nil {
			return fmt.Errorf("writing results %q: %w", f.path, err)
		}
	}
	if s.ShowDir == "" {
		return nil
	}
	if info, err := os.Stat(s.ShowDir); err == nil && !info.IsDir() {
		return fmt.Errorf("painting images: %q is not a folder", s.ShowDir)
	}
	if err := e.probe(filepath.Join(s.ShowDir, "image")); err != nil {
		return fmt.Errorf("painting images into %q: %w", s.ShowDir, err)
	}
	return nil
}

// probe reports a file that can't be written. Only rank 0 writes any.
func (e *evaluation) probe(path string) error {
	if e.group.Rank > 0 {
		return nil
	}
	return atomicfile.Probe(path)
}
