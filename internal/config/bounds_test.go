package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"repvgg/internal/config/value"
)

// within fails the test if f takes long or much memory.
func within(t *testing.T, limit time.Duration, megabytes uint64, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; took > limit || used > megabytes {
		t.Errorf("it took %v and %d MB in all, more than %v and %d MB", took, used, limit, megabytes)
	}
}

// write makes the files of a folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What values share counts as often as it is used: small files can't hold gigabytes.
func TestSharedValues(t *testing.T) {
	const tooMuchText, tooManyValues = "values too large: the strings of a config have at most 16777216 bytes in all", "too many values: a config holds at most 1048576"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"string in a list":   {map[string]string{"a.py": "x = 'a' * 500000\na = [x] * 1000\n"}, `a.py:2:1: a.32: ` + tooMuchText},
		"string many times":  {map[string]string{"a.py": "x = 'a' * 500000\na = [x] * 100000\n"}, tooMuchText},
		"string as keys":     {map[string]string{"a.py": "x = 'a' * 500000\na = [{x: 1}] * 1000\n"}, tooMuchText},
		"nested":             {map[string]string{"a.py": "x = 'a' * 1000\n" + "x = [x] * 10\nx = [x] * 10\nx = [x] * 10\nx = [x] * 10\nx = [x] * 10\n"}, tooMuchText},
		"alias of YAML":      {map[string]string{"a.yaml": "a: &a " + strings.Repeat("x", 500000) + "\nb: [" + strings.Repeat("*a, ", 1000) + "]\n"}, tooMuchText},
		"aliases of aliases": {map[string]string{"a.yaml": "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n"}, tooManyValues},
		"text of a base":     {map[string]string{"b.py": "x = 'a' * 500000\n", "a.py": "_base_ = 'b.py'\na = [" + strings.Repeat("{{_base_.x}}, ", 1000) + "]\n"}, "{{_base_.x}}: " + tooMuchText},
		"values of a base":   {map[string]string{"b.py": "x = [0] * 10000\n", "a.py": "_base_ = 'b.py'\na = [" + strings.Repeat("{{_base_.x}}, ", 1000) + "]\n"}, "{{_base_.x}}: " + tooManyValues},
		"many bases":         {map[string]string{"a.py": "_base_ = ['b.py', 'c.py', 'd.py']\n", "b.py": "b = ['x' * 1000] * 8000\n", "c.py": "c = ['x' * 1000] * 8000\n", "d.py": "d = ['x' * 1000] * 8000\n"}, tooMuchText},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, c.files)
			path := filepath.Join(dir, "a.py")
			if _, err := os.Stat(path); err != nil {
				path = filepath.Join(dir, "a.yaml")
			}
			within(t, 20*time.Second, 600, func() {
				if _, err := Load(path, nil); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %.300v, want %q", err, c.want)
				}
			})
		})
	}
}

// A template may stand for a long path.
func TestTemplatesAreBounded(t *testing.T) {
	dir := t.TempDir()
	for range 12 {
		dir = filepath.Join(dir, strings.Repeat("d", 200))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a.py")
	if err := os.WriteFile(path, []byte("a = '"+strings.Repeat("{{fileDirname}}", 60000)+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, 200, func() {
		if _, err := Load(path, nil); err == nil || !strings.Contains(err.Error(), "a.py: its templates make it larger than 2097152 bytes: not a config") {
			t.Errorf("got %.300v", err)
		}
	})
}

// Long keys above many values make no long path for each of them.
func TestPathsAreBounded(t *testing.T) {
	dir := write(t, map[string]string{"a.py": "a = [0] * 100000\nfor i in range(90):\n  a = {'k' * 9000: a}\n"})
	within(t, 30*time.Second, 3000, func() {
		c, err := Load(filepath.Join(dir, "a.py"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Root().Section("b"); err == nil {
			t.Error("there is no b")
		}
	})
}

// Printing takes time that grows with what is printed, however deep that is nested,
// and what is printed has a bound.
func TestPrintingIsBounded(t *testing.T) {
	for text, want := range map[string]string{
		"a = ['x' * 16000] * 1000\nfor i in range(90): a = [a, i]":             "",
		"a = [dict(b=[1, 2, 3], c='" + strings.Repeat("x", 70) + "')] * 20000": "",
		// Each item is on a line of its own, far to the right.
		"a = [0] * 400000\nfor i in range(80): a = [a]":                        "its values are too large to print: they take more than 67108864 bytes",
		"a = ['\\x00' * 4000] * 1000\nb = [" + strings.Repeat("0, ", 20) + "]": "",
	} {
		dir := write(t, map[string]string{"a.py": strings.ReplaceAll(text, "): ", "):\n  ") + "\n"})
		c, err := Load(filepath.Join(dir, "a.py"), nil)
		if err != nil {
			t.Fatalf("%.100s: %v", text, err)
		}
		within(t, 30*time.Second, 1500, func() {
			switch printed, err := c.Text(); {
			case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("%.100s: %.300v, want %q", text, err, want)
			case err == nil && len(printed) > maxPrinted+1<<20:
				t.Errorf("%.100s: %d bytes", text, len(printed))
			}
		})
	}
}

// An error quotes the beginning of a value, and does not write out the rest.
func TestErrorsAreBrief(t *testing.T) {
	dir := write(t, map[string]string{"a.py": "a = [['x' * 1000] * 1000] * 10\nb = 'y' * 1000000\n"})
	c, err := Load(filepath.Join(dir, "a.py"), nil)
	if err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, 100, func() {
		for range 1000 {
			for _, key := range []string{"a", "b"} {
				if _, err := c.Root().Section(key); err == nil || len(err.Error()) > 500 {
					t.Fatalf("%d bytes: %.100v", len(err.Error()), err)
				}
			}
		}
	})
	v, _ := c.root.Get("a")
	if got := value.Brief(v); !strings.HasPrefix(value.Format(v), strings.TrimSuffix(got, "...")) || len(got) != 203 {
		t.Errorf("%q", got)
	}
}

// FuzzPrint: what a config prints gives the same values.
func FuzzPrint(f *testing.F) {
	for _, s := range []string{
		"a = 1", "a = dict(b=[1, (2,), {}], c='x')\nd = {3: None, 'k': 1e-5}", "a = ['\\x00\\n\\u20ac\\'\"', '{' + '{x}}', float('inf'), -0.0]", "a = [[" + strings.Repeat("'abc', ", 30) + "]] * 3",
		"x = ()\ny = dict()\nz = [dict(**{'class': 1})]", "a = {'" + strings.Repeat("k", 90) + "': [1, 2]}", "a = " + strings.Repeat("[", 50) + strings.Repeat("]", 50), "a = 'a' * 100\nb = [a, (a, a)]",
	} {
		f.Add(s)
	}
	dir := f.TempDir()
	load := func(name, text string) (*Config, error) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("writing: %w", err)
		}
		return Load(path, nil)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := load("a.py", text)
		if err != nil {
			return
		}
		start := time.Now()
		printed, err := c.Text()
		if took := time.Since(start); took > 20*time.Second {
			t.Fatalf("printing took %v", took)
		}
		if err != nil || len(printed) > maxFileBytes {
			return
		}
		again, err := load("printed.py", printed)
		if err != nil {
			t.Fatalf("%v in\n%s", err, printed)
		}
		if want, got := value.Format(c.root), value.Format(again.root); got != want {
			t.Fatalf("read back as\n%s\nwant\n%s", got, want)
		}
	})
}
