package checkpoint

import (
	"archive/zip"
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repvgg/internal/tensor"
)

func TestWriteAndRead(t *testing.T) {
	for _, suffix := range Suffixes {
		t.Run(suffix, func(t *testing.T) { writeAndRead(t, suffix) })
	}
}

func writeAndRead(t *testing.T, suffix string) {
	specs := []tensor.Spec{
		{Name: "a.weight", Shape: []int{70000, 3}},
		{Name: "a.bias", Shape: []int{5}},
		{Name: "empty", Shape: []int{0, 4}},
		{Name: "scalar", Shape: nil},
		{Name: strings.Repeat("long.", 100) + "name", Shape: []int{2, 3, 1, 2}},
	}
	values := make([][]float32, len(specs))
	x := float32(-1)
	for i, s := range specs {
		values[i] = make([]float32, s.Numel())
		for j := range values[i] {
			values[i][j] = x
			x = x*1.25 + 0.5
			if x > 1e30 {
				x = float32(math.Copysign(0, -1))
			}
		}
	}
	dir := t.TempDir()
	first := filepath.Join(dir, "new", "folder", "first"+suffix)
	second := filepath.Join(dir, "second"+suffix)
	write := func(path string, slice int) {
		w, err := Create(path, specs, []string{"", "a"})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			for len(v) > 0 {
				n := min(slice, len(v))
				if err := w.Write(v[:n]); err != nil {
					t.Fatal(err)
				}
				v = v[n:]
			}
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("the file has its name before Commit")
		}
		if _, err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		w.Abort()
	}
	write(first, 1000)
	write(second, 99999)
	one, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) {
		t.Error("the same tensors gave different bytes")
	}
	c, err := Open(first)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, s := range specs {
		if c.Names[i] != s.Name {
			t.Fatalf("tensor %d is %q, want %q", i, c.Names[i], s.Name)
		}
		if got := tensor.FormatShape(c.Tensors[s.Name].Shape); got != tensor.FormatShape(s.Shape) {
			t.Errorf("%q has shape %s, want %v", s.Name, got, s.Shape)
		}
		got, err := c.Float32(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		equalBits(t, s.Name, got, values[i])
	}
	if err := c.Verify(); err != nil {
		t.Error(err)
	}
	if filepath.Ext(first) == ".pth" {
		checkAlignment(t, first)
	}
	noLeftovers(t, filepath.Dir(first), 1)
}

// checkAlignment holds each entry to what torch.load(mmap=True) maps in place.
func checkAlignment(t *testing.T, path string) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, e := range z.File {
		at, err := e.DataOffset()
		if err != nil {
			t.Fatal(err)
		}
		if e.Method != zip.Store || at%alignment != 0 {
			t.Errorf("entry %q: method %d, data at byte %d", e.Name, e.Method, at)
		}
	}
}

func noLeftovers(t *testing.T, dir string, want int) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != want {
		t.Errorf("%d files in the folder, want %d: %v", len(files), want, files)
	}
}

func TestWriteFails(t *testing.T) {
	specs := []tensor.Spec{{Name: "a", Shape: []int{4}}, {Name: "b", Shape: []int{2}}}
	dir := t.TempDir()
	path := filepath.Join(dir, "x.pth")
	w, err := Create(path, specs, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(make([]float32, 5)); err == nil || !strings.Contains(err.Error(), `tensor "a": 1 values too many`) {
		t.Errorf("got error %v for too many values", err)
	}
	if _, err := w.Finish(); err == nil || !strings.Contains(err.Error(), `tensor "a" is not complete`) {
		t.Errorf("got error %v for an incomplete file", err)
	}
	w.Abort()
	noLeftovers(t, dir, 0)
	if _, err := Create(dir, specs, nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got error %v for a folder as the file", err)
	}
}
