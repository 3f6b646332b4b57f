package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	d, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	longest := strings.Repeat("ü", 125) + ".png" // 254 bytes
	var wait sync.WaitGroup
	for _, name := range []string{"a.png", "b/c/d.png", "b/c/e.png", longest} {
		wait.Go(func() {
			if err := d.Write(name, []byte(name), ""); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	wait.Wait()
	if err := d.Write("a.png", []byte("another"), ""); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"a.png": "another", "b/c/d.png": "b/c/d.png", longest: longest} {
		if got := content(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s holds %q", name, got)
		}
	}
	for _, sub := range []string{"", "b/c"} {
		for _, name := range names(t, filepath.Join(dir, sub)) {
			if strings.HasSuffix(name, ".tmp") {
				t.Errorf("%q is left", name)
			}
		}
	}
}

// Nothing leaves the folder, by a name or by a link that somebody put there, and
// what can't be written leaves nothing.
func TestFolderErrors(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "folder")
	d, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.Symlink("..", filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "sub", "taken"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../a", "up/a", "/a", "sub", "sub/taken"} {
		if err := d.Write(name, []byte("x"), ""); err == nil {
			t.Errorf("%q was written", name)
		}
	}
	for sub, want := range map[string]int{outer: 1, dir: 2, filepath.Join(dir, "sub"): 1} {
		if left := names(t, sub); len(left) != want {
			t.Errorf("%s holds %q", sub, left)
		}
	}
}

// A name as long as file systems allow has a temporary one too.
func TestLongNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("n", 250)+".csv")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Error(err)
	}
	f.Abort()
}
