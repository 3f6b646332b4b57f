package weights

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"repvgg/internal/checkpoint"
)

// leftBehind are tensors of one element that tools register in a network and that
// say nothing of its weights: the last part of a name, and whose it is.
var leftBehind = map[string]string{
	"total_ops":    "counts of thop",
	"total_params": "counts of thop",
	"n_averaged":   "the counter of torch's AveragedModel",
}

// leaveOut takes tensors off a checkpoint: what tools leave behind, and what patterns
// name. The notes say so.
func leaveOut(file *checkpoint.File, patterns []string) (notes []string, err error) {
	counts := make(map[string]int) // of tensors, by what they are or by pattern
	drop := make(map[string]bool)
	for _, name := range file.Names {
		t := file.Tensors[name]
		if what := leftBehind[name[strings.LastIndexByte(name, '.')+1:]]; what != "" && t.Numel() == 1 {
			counts[what]++
			drop[name] = true
			continue
		}
		for _, pattern := range patterns {
			matched, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("reading pattern %q: %w", pattern, err)
			}
			if matched {
				counts[pattern]++
				drop[name] = true
				break
			}
		}
	}
	file.Names = slices.DeleteFunc(file.Names, func(name string) bool { return drop[name] })
	for name := range drop {
		delete(file.Tensors, name)
	}
	for _, what := range []string{leftBehind["total_ops"], leftBehind["n_averaged"]} {
		if n := counts[what]; n > 0 {
			notes = append(notes, fmt.Sprintf("%q also holds %s (%s), which are left out", file.Path, what, tensors(n)))
		}
	}
	for _, pattern := range patterns {
		what := "none is ignored: no tensor has a name like " + pattern
		if n := counts[pattern]; n > 0 {
			what = tensors(n) + " like " + pattern + " left out"
		}
		notes = append(notes, fmt.Sprintf("%q: %s", file.Path, what))
	}
	return notes, nil
}

func tensors(n int) string {
	if n == 1 {
		return "1 tensor"
	}
	return fmt.Sprintf("%d tensors", n)
}
