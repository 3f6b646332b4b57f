// Package layering tests the rule of docs/architecture.md that a package imports
// only packages of lower layers.
package layering

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// layers are the layers from the bottom up. A package may only import packages of
// lower layers.
var layers = [][]string{
	{"configs", "internal/tensor", "internal/python", "internal/table", "internal/figure", "internal/figure/canvas", "internal/cleanup", "internal/infile", "internal/python/pickle", "internal/jpeg", "internal/cpu/winograd", "internal/amxtest", "internal/gpu/cuda", "internal/testkit/need"},
	{"internal/atomicfile", "internal/shard", "internal/config/value", "internal/model", "internal/metrics", "internal/figure/matrix", "internal/preprocess", "internal/dataset"},
	{"internal/config/starlark", "internal/checkpoint", "internal/model/repvgg", "internal/engine", "internal/flops"},
	{"internal/config", "internal/weights", "internal/cpu/kernel", "internal/testkit", "internal/zoo"},
	{"internal/recipe", "internal/convert", "internal/cpu", "internal/gpu", "internal/onnx"},
	{"internal/eval", "internal/bench"},
	{"internal/report", "internal/bench/benchreport"},
	{"internal/app"},
	{"repvgg"},
	{"cmd/repvgg", "internal/testgen", "internal/layering"},
}

// onlyIn maps an import to the only packages that may have it.
var onlyIn = map[string][]string{
	// A package that reads configs directly would depend on their keys.
	"internal/config":                               {"internal/recipe", "cmd/repvgg"},
	"internal/config/starlark":                      {"internal/config"},
	"internal/gpu/cuda":                             {"internal/gpu", "cmd/repvgg"},
	"github.com/spf13/cobra":                        {"cmd/repvgg"},
	"github.com/spf13/pflag":                        {"cmd/repvgg"},
	"github.com/spf13/viper":                        {"cmd/repvgg"},
	"github.com/schollz/progressbar/v3":             {"cmd/repvgg"},
	"github.com/go-viper/mapstructure/v2":           {"cmd/repvgg"},
	"golang.org/x/term":                             {"cmd/repvgg"},
	"go.starlark.net/resolve":                       {"internal/config/starlark"},
	"go.starlark.net/starlark":                      {"internal/config/starlark"},
	"go.starlark.net/syntax":                        {"internal/config/starlark"},
	"gonum.org/v1/plot":                             {"internal/figure"},
	"gonum.org/v1/plot/font":                        {"internal/figure"},
	"gonum.org/v1/plot/plotter":                     {"internal/figure"},
	"gonum.org/v1/plot/vg":                          {"internal/figure"},
	"gonum.org/v1/plot/vg/draw":                     {"internal/figure"},
	"gonum.org/v1/plot/vg/vgimg":                    {"internal/figure"},
	"gonum.org/v1/plot/vg/vgsvg":                    {"internal/figure"},
	"google.golang.org/protobuf/encoding/protowire": {"internal/onnx"},
	"golang.org/x/image/font":                       {"internal/figure/canvas"},
	"golang.org/x/image/font/opentype":              {"internal/figure/canvas"},
	"encoding/csv":                                  {"internal/table"},
	"text/tabwriter":                                {}, // tables are internal/table's
	"unsafe":                                        {"internal/checkpoint", "internal/cpu/kernel", "internal/jpeg", "internal/amxtest", "internal/gpu/cuda"},
	"C":                                             {"internal/jpeg", "internal/amxtest", "internal/gpu/cuda"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Module     struct{ Path string }
}

func TestImportsPointDown(t *testing.T) {
	height := make(map[string]int)
	for h, names := range layers {
		for _, name := range names {
			height[name] = h
		}
	}
	seen := 0
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, p.Module.Path+"/")
		if p.ImportPath == p.Module.Path {
			name = "repvgg" // whatever the module's path is
		}
		h, ok := height[name]
		if !ok {
			t.Errorf("package %s has no layer: give it one here and in docs/architecture.md", name)
			continue
		}
		seen++
		for _, imp := range p.Imports {
			imp, local := strings.CutPrefix(imp, p.Module.Path+"/")
			if owners, ok := onlyIn[imp]; ok && !slices.Contains(owners, name) {
				t.Errorf("%s imports %s, which only %q may", name, imp, owners)
			}
			if local && height[imp] >= h {
				t.Errorf("%s (layer %d) imports %s (layer %d)", name, h, imp, height[imp])
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d packages were checked", seen)
	}
}

// TestDocumentedLayers checks that the table in docs/architecture.md has the same
// packages in the same layers.
func TestDocumentedLayers(t *testing.T) {
	doc, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, want []string
	for _, m := range regexp.MustCompile("(?m)^\\| ([0-9]+) \\| `([^`]+)` \\|").FindAllStringSubmatch(string(doc), -1) {
		listed = append(listed, m[1]+" "+m[2])
	}
	for h, names := range layers {
		for _, name := range names {
			want = append(want, fmt.Sprint(h, " ", name))
		}
	}
	slices.Sort(listed)
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("docs/architecture.md has the layers %q, want %q", listed, want)
	}
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Module", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// TestThirdParty checks that docs/third-party.md lists the modules in the binary.
func TestThirdParty(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the list is Linux's")
	}
	doc, err := os.ReadFile("../../docs/third-party.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(doc), -1) {
		listed = append(listed, m[1])
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./cmd/repvgg")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := strings.Fields(string(out))
	slices.Sort(linked)
	linked = slices.Compact(linked)
	slices.Sort(listed)
	if !slices.Equal(linked, listed) {
		t.Errorf("the binary holds %q, docs/third-party.md lists %q", linked, listed)
	}
}
