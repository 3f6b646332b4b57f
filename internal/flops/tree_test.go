package flops_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/flops"
	"repvgg/internal/recipe"
)

// TestWrite compares with the complete output of the original's get_flops.py; see
// testdata/flops/README.md.
func TestWrite(t *testing.T) {
	dir := filepath.Join("..", "..", "testdata", "flops")
	for _, c := range []struct {
		config, want string
		h, w         int
	}{
		{"repvgg-A0", "A0.txt", 224, 224},
		{"repvgg-A0_deploy", "A0_deploy.txt", 224, 224},
		{"repvgg-B1g4", "B1g4.txt", 224, 224},
		{"repvgg-B1g4_deploy", "B1g4_deploy.txt", 224, 224},
		{"repvgg-D2se_deploy", "D2se_deploy.txt", 224, 224},
		{filepath.Join(dir, "custom.py"), "custom_65x98.txt", 65, 98},
	} {
		want, err := os.ReadFile(filepath.Join(dir, c.want))
		if err != nil {
			t.Fatal(err)
		}
		r, err := recipe.Load(c.config, nil)
		if err != nil {
			t.Fatal(err)
		}
		details, err := r.Details()
		if err != nil {
			t.Fatal(err)
		}
		tree, err := flops.Tree(r.Network, details, c.h, c.w)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := flops.Write(&got, tree, 3, c.h, c.w); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-original +ours):\n%s", c.config, diff)
		}
	}
}
