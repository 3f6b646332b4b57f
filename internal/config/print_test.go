package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repvgg/internal/config/value"
)

// TestTextReadsBack prints every embedded config, and one with all kinds of values,
// and checks that the text loads as the same config.
func TestTextReadsBack(t *testing.T) {
	odd := filepath.Join(t.TempDir(), "odd.py")
	text := "t = '{' + '{ fileBasename }}'\n" + "a = dict(x=1.5, y=[(1,), (), [], {}, 'it\\'s'], **{'class': None, 'b': True})\nb = {3: 'x', 'k': 1e-5}\n" +
		"c = [float('inf'), -float('inf'), '\\n\\u20ac']\nlong = [" + strings.Repeat("'a string of some length', ", 10) + "]\n"
	if err := os.WriteFile(odd, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	names := []string{odd}
	for _, entry := range Embedded() {
		name, _, _ := strings.Cut(entry, "\t")
		names = append(names, name)
	}
	for _, name := range names {
		want, err := Load(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := want.Text()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text) {
			if len(line) > maxLine+1 {
				t.Errorf("%s: a line of %d letters: %s", name, len(line), line)
			}
		}
		printed := filepath.Join(t.TempDir(), "printed.py")
		if err := os.WriteFile(printed, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Load(printed, nil)
		if err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, text)
		}
		if value.Format(got.root) != value.Format(want.root) {
			t.Errorf("%s reads back as\n%s\nwant\n%s", name, value.Format(got.root), value.Format(want.root))
		}
	}
}

// TestTextRefuses checks keys that a .py config can't have.
func TestTextRefuses(t *testing.T) {
	for _, text := range []string{`{"dict": 1}`, `{"float": 2}`, `{"__a__": 1}`, `{"a-b": 1}`, `{"class": 1}`} {
		path := filepath.Join(t.TempDir(), "odd.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Text(); err == nil || !strings.Contains(err.Error(), "can't be a variable") {
			t.Errorf("%s is printed as %q (%v)", text, got, err)
		}
	}
}

// TestEmbeddedBase inherits from a built-in config.
func TestEmbeddedBase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.py")
	if err := os.WriteFile(path, []byte("_base_ = 'repvgg-A0'\nmodel = dict(head=dict(num_classes=7))\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := Load("repvgg-A0", []string{"model.head.num_classes=7"})
	if err != nil {
		t.Fatal(err)
	}
	if value.Format(c.root) != value.Format(base.root) {
		t.Errorf("got %s\nwant %s", value.Format(c.root), value.Format(base.root))
	}
}
