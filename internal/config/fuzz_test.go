package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"repvgg/internal/config/value"
)

// Any override is either parsed or refused. Numbers, and containers of numbers,
// parse to the same value from their repr. (A string may not, because its quotes
// are dropped.)
func FuzzParseOverride(f *testing.F) {
	for _, s := range []string{
		"a=1", "a.b.0=(224,-1)", "a=[(1,2),[3]]", "a='x y', None", "a=1_0.5e-3", "a=((((", "a=,,", "=", "a..=1", "a=f(1,2)", "a=\"'\"'",
		"a=True,[],(),(1,),[1,],1e-7,-inf,0012", "a = ( [ 1 ] , )",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, item string) {
		parts, v, err := parseOverride(item)
		if err != nil {
			return
		}
		if len(parts) == 0 {
			t.Fatal("no key")
		}
		if !stringFree(v) {
			return
		}
		text := value.Format(v)
		again, err := parseLiteral(text)
		if err != nil {
			t.Fatalf("%q is %s, which cannot be read: %v", item, text, err)
		}
		if got := value.Format(again); got != text {
			t.Fatalf("%q is %s, read again %s", item, text, got)
		}
	})
}

func stringFree(v value.Value) bool {
	if _, ok := v.(string); ok {
		return false
	}
	items, _ := value.Items(v)
	return !slices.ContainsFunc(items, func(item value.Value) bool { return !stringFree(item) })
}

// Any text is either loaded or refused with an error that names the file, without a
// panic and in bounded time.
func FuzzLoad(f *testing.F) {
	for _, file := range embeddedFiles() {
		text, err := source{file, true}.read()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, uint8(0))
	}
	for _, s := range []string{
		"a = {{_base_.x}}", "_base_ = 'a.py'", "a = f'x'", "a = [i for i in range(9)]\na += a", "x = 'a' 'b'", "if 1:\n  a = 1\nelse:\n  a = {**b}",
		"def f(*a, **k): return a\nx = f(*[1])", "a = lambda: 0\nb = a().c", "a = '%s' % (1,)\nb = a.format(1, x=2)", "a = 1\na.b.c += 2", "a[0][f()] |= 3",
	} {
		f.Add(s, uint8(0))
	}
	f.Add("a: &a [1, {b: !!python/tuple [2]}]\nc: *a\n<<: {d: 1}", uint8(1))
	f.Add("a: yes\nb: |\n  x\n? [1]\n: 2", uint8(1))
	f.Add(`{"a": [1, 2.5, null, true, "x"], "_base_": "b.json"}`, uint8(2))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, kind uint8) {
		path := filepath.Join(dir, "a"+[]string{".py", ".yaml", ".json"}[kind%3])
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c, err := Load(path, nil)
		if took := time.Since(start); took > time.Minute { // twice the limit for a .py file
			t.Fatalf("took %v", took)
		}
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		value.Format(c.root)
		if !value.Clone(c.root).(*value.Dict).Equal(c.root) && !strings.Contains(value.Format(c.root), "nan") {
			t.Fatalf("a copy differs: %s", value.Format(c.root))
		}
	})
}
