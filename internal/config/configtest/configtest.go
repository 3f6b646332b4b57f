// Package configtest makes sections of configs for tests.
package configtest

import (
	"os"
	"path/filepath"
	"testing"

	"repvgg/internal/config"
)

// Test is data.test of a config whose data.test is made of these arguments.
func Test(t testing.TB, arguments string) config.Section {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.py")
	if err := os.WriteFile(path, []byte("data = dict(test=dict("+arguments+"))\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return TestOf(t, path)
}

// TestOf is data.test of a config file.
func TestOf(t testing.TB, path string) config.Section {
	t.Helper()
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Root().Section("data")
	if err != nil {
		t.Fatal(err)
	}
	section, err := data.Section("test")
	if err != nil {
		t.Fatal(err)
	}
	return section
}
