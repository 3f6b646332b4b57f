package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra/doc"
)

var update = flag.Bool("update", false, "rewrite docs/cli")

// TestDocs checks that docs/cli matches --help; -update rewrites it.
func TestDocs(t *testing.T) {
	const committed = "../../docs/cli"
	root := newRootCmd()
	root.DisableAutoGenTag = true
	dir := t.TempDir()
	if *update {
		if err := os.RemoveAll(committed); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(committed, 0o755); err != nil {
			t.Fatal(err)
		}
		dir = committed
	}
	if err := doc.GenMarkdownTree(root, dir); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	old, err := filepath.Glob(filepath.Join(committed, "*.md"))
	if err != nil || len(old) != len(pages) {
		t.Errorf("docs/cli has %d pages, want %d; go test ./cmd/repvgg -run TestDocs -update writes them", len(old), len(pages))
	}
	for _, page := range pages {
		want, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(committed, filepath.Base(page)))
		if err != nil || string(got) != string(want) {
			t.Errorf("docs/cli/%s is not what --help says (%v); go test ./cmd/repvgg -run TestDocs -update writes it", filepath.Base(page), err)
		}
	}
}
