package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/convert"
	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/recipe"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
	"repvgg/internal/weights"
)

// logitsTolerance bounds the difference between our logits and the original's,
// relative to the largest logit (docs/numerics.md).
const logitsTolerance = 2e-5

func loadPlanFor(t *testing.T, cfg string) *model.Plan {
	t.Helper()
	r, err := recipe.Load(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Network
}

// openWeights opens a checkpoint that has either form of p.
func openWeights(t *testing.T, p *model.Plan, path string) *weights.Set {
	t.Helper()
	c, err := weights.OpenForm(path, p, checkpoint.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestLogits runs both forms of five architectures on the original's input.
func TestLogits(t *testing.T) {
	for _, name := range []string{"plain", "groups", "se", "dilated", "eps"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(testdata, "fuse", name)
			train, deploy := filepath.Join(dir, "train_cfg.py"), filepath.Join(dir, "deploy_cfg.py")
			x, shape := readNPY(t, filepath.Join(dir, "input.npy"))
			want, _ := readNPY(t, filepath.Join(dir, "logits.npy"))
			checkLogits(t, "train", loadPlanFor(t, train), filepath.Join(dir, "train.pth"), x, shape, want)
			path := fused(t, train, filepath.Join(dir, "train.pth"))
			checkLogits(t, "deploy", loadPlanFor(t, deploy), path, x, shape, want)
		})
	}
}

func checkLogits(t *testing.T, form string, p *model.Plan, path string, x []float32, shape []int, want []float32) {
	t.Helper()
	if p.Form.String() != form {
		t.Fatalf("the config describes the %s form", p.Form)
	}
	r, err := cpu.New(p, openWeights(t, p, path), cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]float32, len(want))
	if err := r.Run(t.Context(), got, x, shape[0], shape[2], shape[3]); err != nil {
		t.Fatal(err)
	}
	worst, largest := farthest(got, want)
	t.Logf("%s form: largest difference %.2g of %.3g", form, worst, largest)
	if !(worst <= logitsTolerance*largest) {
		t.Errorf("%s form: logits differ by %g, more than %g of %g", form, worst, logitsTolerance, largest)
	}
}

// farthest returns the largest difference, or NaN if there is a NaN, and the
// largest value.
func farthest(got, want []float32) (worst, largest float64) {
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	return worst, largest
}

// readNPY reads a float32 array from a .npy file.
func readNPY(t *testing.T, path string) (values []float32, shape []int) {
	t.Helper()
	values, shape, err := testkit.ReadNPY(path)
	if err != nil {
		t.Fatal(err)
	}
	return values, shape
}

// TestVerifyNamesTheBlock damages one weight of a fused file: verification must
// fail and name its block.
func TestVerifyNamesTheBlock(t *testing.T) {
	digits := filepath.Join(testdata, "digits")
	cfg, src := filepath.Join(digits, "configs", "repvgg-digits.py"), filepath.Join(digits, "train.pth")
	plan := loadPlanFor(t, cfg)
	train := openWeights(t, plan, src)
	newRunner := func(p *model.Plan, weights tensor.Source) (engine.Runner, error) {
		return cpu.New(p, weights, cpu.Options{})
	}
	for i := range plan.Blocks {
		name := plan.Blocks[i].Name
		weight := plan.Blocks[i].Weight
		var reported []string
		damage := func(tmp string) error {
			perturb(t, tmp, weight)
			fused, err := weights.OpenForm(tmp, plan.As(model.Deploy), checkpoint.Choice{})
			if err != nil {
				return err
			}
			defer fused.Close()
			return convert.Verify(t.Context(), train, fused, newRunner, func(d convert.Difference) {
				if !d.OK() {
					reported = append(reported, d.Part)
				}
			})
		}
		dst := filepath.Join(t.TempDir(), "deploy.pth")
		err := convert.WriteDeploy(t.Context(), train, dst, repvgg.MMClassification, damage)
		if err == nil || !strings.Contains(err.Error(), ": "+name+" differs by") {
			t.Errorf("damaged %s: got error %v", weight, err)
		}
		if len(reported) == 0 || reported[0] != name || len(reported) > 1 && reported[1] != "logits" {
			t.Errorf("damaged %s: reported %q", weight, reported)
		}
		if _, err := os.Stat(dst); err == nil {
			t.Errorf("damaged %s: the file was kept", weight)
		}
	}
}

// perturb adds a hundredth of a tensor's largest weight to its first weight, and
// corrects the file's checksum, so that only Verify can find the damage.
func perturb(t *testing.T, path, name string) {
	t.Helper()
	c, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var specs []tensor.Spec
	values := make(map[string][]float32)
	for _, n := range c.Names {
		specs = append(specs, tensor.Spec{Name: n, Shape: c.Tensors[n].Shape})
		if values[n], err = c.Float32(n); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	largest := float32(0)
	for _, v := range values[name] {
		largest = max(largest, v, -v)
	}
	values[name][0] += largest / 100
	w, err := checkpoint.Create(path, specs, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, s := range specs {
		if err := w.Write(values[s.Name]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}
