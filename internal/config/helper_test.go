package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repvgg/internal/config/value"
)

// writeFiles writes the files to a new folder, and returns its path.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loadFiles writes the files and loads the named one.
func loadFiles(t testing.TB, files map[string]string, name string, overrides ...string) *Config {
	t.Helper()
	c, err := Load(filepath.Join(writeFiles(t, files), name), overrides)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// loadText loads a single .py file with the given text.
func loadText(t testing.TB, text string, overrides ...string) *Config {
	t.Helper()
	return loadFiles(t, map[string]string{"a.py": text}, "a.py", overrides...)
}

// loadError returns the error of loading the named file, without the folder's name.
func loadError(t testing.TB, files map[string]string, name string, overrides ...string) string {
	t.Helper()
	dir := writeFiles(t, files)
	c, err := Load(filepath.Join(dir, name), overrides)
	if err == nil {
		t.Fatalf("loading %s: want an error, got %s", name, value.Format(c.root))
	}
	return strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
}
