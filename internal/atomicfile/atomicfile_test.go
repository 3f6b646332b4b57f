package atomicfile

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// names lists the files in a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(dir, "a.txt")
	for _, text := range []string{"first", strings.Repeat("second ", 20000)} {
		err := Write(path, func(w *bufio.Writer) error {
			if _, err := w.WriteString(text); err != nil {
				return err
			}
			for _, name := range names(t, dir) {
				if name == "a.txt" && text == "first" {
					t.Error("the file has its name before it is complete")
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := content(t, path); got != text {
			t.Errorf("%d bytes written, want %d", len(got), len(text))
		}
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("the folder holds %q", left)
	}
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.Stat(other); err != nil || got.Mode() != want.Mode() {
		t.Errorf("mode %v; a plain new file has %v (%v)", got.Mode(), want.Mode(), err)
	}
}

func TestFailedWriteKeepsOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("out of ideas")
	err := Write(path, func(w *bufio.Writer) error {
		if _, err := w.WriteString(strings.Repeat("new", 50000)); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("error %v, want %v", err, failure)
	}
	if got := content(t, path); got != "old" {
		t.Errorf("the file holds %.20q", got)
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("the folder holds %q", left)
	}
}

func TestFinishThenCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	if got := content(t, f.Name()); got != "text" {
		t.Errorf("the finished file holds %q", got)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file has its name before Commit")
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	if got := content(t, path); got != "text" {
		t.Errorf("after Commit and Abort the file holds %q", got)
	}
}

func TestCreateErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{dir, "not a regular file"},
		{os.DevNull, "not a regular file"},
		{filepath.Join(file, "below"), "is not a folder"},
	} {
		if _, err := Create(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Create(%q): %v, want %q", c.path, err, c.want)
		}
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("the folder holds %q", left)
	}
}
