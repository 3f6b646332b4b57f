package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// checkSuffix returns an error for a file name without a known suffix.
func checkSuffix(what, path string, known ...string) error {
	ext := filepath.Ext(path)
	if slices.Contains(known, ext) {
		return nil
	}
	names := known[len(known)-1]
	if others := known[:len(known)-1]; len(others) > 0 {
		names = strings.Join(others, ", ") + " or " + names
	}
	return fmt.Errorf("unsupported format %q of %s %q: name it %s", ext, what, path, names)
}
