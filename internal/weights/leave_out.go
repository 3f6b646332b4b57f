package weights

import (
	"fmt"
	"path"
	"slices"

	"repvgg/internal/checkpoint"
)

// leaveOut takes the tensors off a checkpoint that patterns name, and says so in a
// line for each pattern.
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
			ignored = append(ignored, fmt.Sprintf("%q has no tensors like %q to leave out", file.Path, pattern))
		case 1:
			ignored = append(ignored, fmt.Sprintf("%q: 1 tensor like %q is left out", file.Path, pattern))
		default:
			ignored = append(ignored, fmt.Sprintf("%q: %d tensors like %q are left out", file.Path, n, pattern))
		}
	}
	return ignored, nil
}
