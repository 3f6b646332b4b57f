//go:build cgo && unix

package jpeg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenLibrary points the environment variable to the library and to files
// that are not it.
func TestOpenLibrary(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, want string }{
		{filepath.Join(t.TempDir(), "missing.so"), "No such file"},
		{text, "text.so"},
		{"libc.so.6", "not the libjpeg of libjpeg-turbo"},
		{strings.Repeat("long/", 1000), "long"},
	} {
		t.Setenv(libraryVariable, c.file)
		if l, err := openLibrary(); err == nil {
			t.Errorf("opened %q", l.path)
		} else if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), libraryVariable) {
			t.Errorf("error %q, want one with %q and the variable's name", err, c.want)
		}
	}
}

func TestOpenLibraryByPath(t *testing.T) {
	requireLibrary(t)
	name, _ := Library()
	t.Setenv(libraryVariable, name)
	l, err := openLibrary()
	if err != nil {
		t.Fatal(err)
	}
	s := golden(t)["rgb_420.jpg"]
	width, height, rgb, err := l.decode(s.data, nil, 1<<20)
	if err != nil || !s.matches(width, height, rgb) {
		t.Errorf("differs or has error %v", err)
	}
}
