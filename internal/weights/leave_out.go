package weights

import (
	"fmt"
	"path"
	"slices"

	"repvgg/internal/checkpoint"
)

// leaveOut removes the tensors that match the patterns from a checkpoint. It
// returns a line for each pattern.
func leaveOut(file *checkpoint.File, patterns []string) (ignored []string, err error) {
	for _, pattern := range patterns {
		drop := make(map[string]bool)
		for _, name := range file.Names {
			if drop[name], err = path.Match(pattern, name); err != nil {
				return nil, fmt.Errorf("reading pattern %q: %w", pattern, err)
			}
		}
		before := len(file.Names)
		file.Names = slices.DeleteFunc(file.Names, func(name string) bool { return drop[name] })
		for name, dropped := range drop {
			if dropped {
				delete(file.Tensors, name)
			}
		}
		switch n := before - len(file.Names); n {
		case 0:
			ignored = append(ignored, fmt.Sprintf("%q has no tensors that match %q", file.Path, pattern))
		case 1:
			ignored = append(ignored, fmt.Sprintf("%q: 1 tensor that matches %q is ignored", file.Path, pattern))
		default:
			ignored = append(ignored, fmt.Sprintf("%q: %d tensors that match %q are ignored", file.Path, n, pattern))
		}
	}
	return ignored, nil
}
