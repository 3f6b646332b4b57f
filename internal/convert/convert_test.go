package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
	"repvgg/internal/weights"
)

// small returns a RepVGG with all kinds of blocks.
func small(t *testing.T) *model.Plan {
	t.Helper()
	c := repvgg.Default()
	c.Classes = 7
	c.Arch = repvgg.Arch{
		NumBlocks: []int{1, 2, 1, 1}, WidthFactor: []float64{.25, .25, .25, .125},
		GroupLayers: map[int]int{2: 2, 3: 4}, SE: &repvgg.SE{Ratio: 4, Divisor: 2}, StemChannels: repvgg.DefaultStemChannels,
	}
	p, err := repvgg.Assemble(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// written writes a checkpoint of a plan with random values, and opens it.
func written(t *testing.T, p *model.Plan) (*weights.Set, tensor.Map) {
	t.Helper()
	values, path := testkit.Weights(p, 3), filepath.Join(t.TempDir(), "ckpt.pth")
	testkit.WriteCheckpoint(t, path, p.Tensors(), p.Tensors(), values)
	return open(t, path, p), values
}

func open(t *testing.T, path string, p *model.Plan) *weights.Set {
	t.Helper()
	s, err := weights.OpenForm(path, p, checkpoint.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestWriteDeploy checks that the file holds the values of model.Fold under the
// requested names, and that two conversions give the same bytes.
func TestWriteDeploy(t *testing.T) {
	p := small(t)
	train, values := written(t, p)
	for _, keys := range repvgg.KeyMaps() {
		for _, suffix := range []string{".pth", ".safetensors"} {
			var files [2][]byte
			for i := range files {
				dst := filepath.Join(t.TempDir(), "new", "deploy"+suffix)
				if err := WriteDeploy(t.Context(), train, dst, keys, nil); err != nil {
					t.Fatal(err)
				}
				deploy := open(t, dst, p.As(model.Deploy))
				if deploy.KeyMap != keys {
					t.Errorf("%s: the names are those of %s", keys.ID, deploy.KeyMap.ID)
				}
				for _, spec := range deploy.Plan.Tensors() {
					want, err := tensor.Load(model.Fold(p, values), spec)
					if err != nil {
						t.Fatal(err)
					}
					if got, err := tensor.Load(deploy, spec); err != nil || !slices.Equal(got, want) {
						t.Errorf("%s: %s differs (%v)", keys.ID, spec.Name, err)
					}
				}
				var err error
				if files[i], err = os.ReadFile(dst); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(files[0], files[1]) {
				t.Errorf("%s%s: two conversions differ", keys.ID, suffix)
			}
		}
	}
}

// TestWriteDeployCopies checks that a deploy form is written unchanged.
func TestWriteDeployCopies(t *testing.T) {
	p := small(t).As(model.Deploy)
	src, values := written(t, p)
	dst := filepath.Join(t.TempDir(), "copy.safetensors")
	if err := WriteDeploy(t.Context(), src, dst, repvgg.MMClassification, nil); err != nil {
		t.Fatal(err)
	}
	for _, spec := range p.Tensors() {
		if got, err := tensor.Load(open(t, dst, p), spec); err != nil || !slices.Equal(got, values[spec.Name]) {
			t.Errorf("%s differs (%v)", spec.Name, err)
		}
	}
}

// TestWriteDeployFails checks that a failure leaves no file.
func TestWriteDeployFails(t *testing.T) {
	p := small(t)
	train, _ := written(t, p)
	refused := errors.New("refused")
	for name, do := range map[string]func(dst string) error{
		"check": func(dst string) error {
			return WriteDeploy(t.Context(), train, dst, repvgg.Timm, func(tmp string) error {
				if _, err := os.Stat(tmp); err != nil {
					return err
				}
				return refused
			})
		},
		"folder": func(dst string) error {
			if err := os.Mkdir(dst, 0o700); err != nil {
				t.Fatal(err)
			}
			return WriteDeploy(t.Context(), train, dst, repvgg.Timm, nil)
		},
		"overflow": func(dst string) error {
			values, path := testkit.Weights(p, 3), filepath.Join(t.TempDir(), "large.pth")
			norm := p.Blocks[2].Branches[0].Norm
			values[norm.Gamma()][0], values[norm.Var()][0] = math.MaxFloat32, 0
			testkit.WriteCheckpoint(t, path, p.Tensors(), p.Tensors(), values)
			return WriteDeploy(t.Context(), open(t, path, p), dst, repvgg.Timm, nil)
		},
	} {
		dir := t.TempDir()
		err := do(filepath.Join(dir, "deploy.pth"))
		if err == nil || name == "check" && !errors.Is(err, refused) {
			t.Errorf("%s: error %v", name, err)
		}
		if name == "overflow" && !strings.Contains(err.Error(), fmt.Sprintf("folding block %q: the folded", p.Blocks[2].Name)) {
			t.Errorf("%s: error %v", name, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 1 || len(left) > 0 && name != "folder" {
			t.Errorf("%s: %v is left", name, left)
		}
	}
}

func runOnCPU(p *model.Plan, src tensor.Source) (engine.Runner, error) {
	return cpu.New(p, src, cpu.Options{Threads: 1})
}

// TestVerify checks that the written file agrees with its source, and that a
// changed weight is found in its block.
func TestVerify(t *testing.T) {
	p := small(t)
	train, values := written(t, p)
	folded := make(tensor.Map)
	for _, spec := range p.As(model.Deploy).Tensors() {
		var err error
		if folded[spec.Name], err = tensor.Load(model.Fold(p, values), spec); err != nil {
			t.Fatal(err)
		}
	}
	deploy := func() *weights.Set {
		path, specs := filepath.Join(t.TempDir(), "deploy.safetensors"), p.As(model.Deploy).Tensors()
		testkit.WriteCheckpoint(t, path, specs, specs, folded)
		return open(t, path, p.As(model.Deploy))
	}
	var parts []string
	report := func(d Difference) {
		parts = append(parts, d.Part)
		if d.OK() != (d.Relative() <= d.Tolerance) {
			t.Errorf("%+v", d)
		}
	}
	if err := Verify(t.Context(), train, deploy(), runOnCPU, report); err != nil {
		t.Fatal(err)
	}
	if len(parts) != len(p.Blocks)+1 || parts[0] != p.Blocks[0].Name || parts[len(parts)-1] != "logits" {
		t.Errorf("parts %q", parts)
	}
	folded[p.Blocks[3].Weight][5]++
	err := Verify(t.Context(), train, deploy(), runOnCPU, func(Difference) {})
	m, ok := errors.AsType[*Mismatch](err)
	if !ok || m.Part != p.Blocks[3].Name || m.Amplified || !strings.Contains(err.Error(), "deploy.safetensors") {
		t.Errorf("a changed weight: %v", err)
	}
	folded[p.Blocks[3].Weight][5]--
	folded[p.Head.Bias][0]++
	err = Verify(t.Context(), train, deploy(), runOnCPU, func(Difference) {})
	if m, ok := errors.AsType[*Mismatch](err); !ok || m.Part != "logits" || !m.Amplified || !strings.Contains(err.Error(), "amplifies rounding") {
		t.Errorf("a changed head: %v", err)
	}
}

// TestVerifyFails checks that errors of a runner are passed on.
func TestVerifyFails(t *testing.T) {
	p := small(t)
	train, _ := written(t, p)
	deploy, _ := written(t, p.As(model.Deploy))
	broken := errors.New("no runner")
	err := Verify(t.Context(), train, deploy, func(*model.Plan, tensor.Source) (engine.Runner, error) { return nil, broken }, func(Difference) {})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), p.Blocks[0].Name) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Verify(ctx, train, deploy, runOnCPU, func(Difference) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

func TestDifference(t *testing.T) {
	for _, c := range []struct {
		d        Difference
		relative float64
		ok       bool
	}{
		{Difference{Max: 0, Largest: 0, Tolerance: 1e-4}, 0, true},
		{Difference{Max: 1, Largest: 1000, Tolerance: 1e-2}, 1e-3, true},
		{Difference{Max: 1, Largest: 10, Tolerance: 1e-2}, 0.1, false},
		{Difference{Max: math.NaN(), Largest: 10, Tolerance: 1e-2}, math.NaN(), false},
	} {
		if r := c.d.Relative(); r != c.relative && !math.IsNaN(c.relative) || c.d.OK() != c.ok {
			t.Errorf("%+v: %v, %v", c.d, r, c.d.OK())
		}
	}
}
