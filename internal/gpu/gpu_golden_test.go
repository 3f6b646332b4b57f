//go:build cgo && unix

package gpu

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/convert"
	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/recipe"
	"repvgg/internal/testkit"
	"repvgg/internal/weights"
)

// goldenTolerances are how far logits may lie from the original's, relative to the
// largest of them (docs/numerics.md).
var goldenTolerances = map[precision]float64{fp32: 2e-5, tf32: 1.5e-2, fp16: 5e-3, bf16: 4e-2}

// goldenAbsolute is how far they may lie from the original's in fp32 besides.
const goldenAbsolute = 1e-4

// TestGPUGolden runs both forms of the five networks of testdata/fuse on the
// original's input, in each precision.
func TestGPUGolden(t *testing.T) {
	env := requireGPU(t)
	for _, p := range []precision{fp32, tf32, fp16, bf16} {
		testGolden(t, env, p)
	}
}

func testGolden(t *testing.T, env cuda.Environment, p precision) {
	for _, name := range []string{"plain", "groups", "se", "dilated", "eps"} {
		for _, form := range []model.Form{model.Train, model.Deploy} {
			t.Run(fmt.Sprintf("golden/%s/%v/%v", name, form, p), func(t *testing.T) {
				atOnce(t, env)
				checkGolden(t, env, name, form, p)
			})
		}
	}
}

// checkGolden compares the logits of one network with the original's.
func checkGolden(t *testing.T, env cuda.Environment, name string, form model.Form, p precision) {
	dir := filepath.Join("..", "..", "testdata", "fuse", name)
	set := openGolden(t, dir, form)
	r, err := newRunner(set.Plan, set, Options{Precision: engine.Precision(p), noTune: true, CheckLayers: p == fp16}, env)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x, shape, err := testkit.ReadNPY(filepath.Join(dir, "input.npy"))
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := testkit.ReadNPY(filepath.Join(dir, "logits.npy"))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, len(want))
	if err := r.Run(t.Context(), got, x, shape[0], shape[2], shape[3]); err != nil {
		t.Fatal(err)
	}
	worst, largest := 0.0, 0.0
	for i, v := range want {
		largest = max(largest, math.Abs(float64(v)))
		worst = max(worst, math.Abs(float64(got[i])-float64(v))) // NaN if there is one
	}
	t.Logf("largest difference %.2g of %.3g", worst, largest)
	if !(worst <= goldenTolerances[p]*largest) || p == fp32 && !(worst <= goldenAbsolute) {
		t.Errorf("logits differ by %g, more than %g of %g", worst, goldenTolerances[p], largest)
	}
}

// openGolden opens the weights of a form of a golden network.
func openGolden(t *testing.T, dir string, form model.Form) *weights.Set {
	t.Helper()
	open := func(config, path string) *weights.Set {
		r, err := recipe.Load(config, nil)
		if err != nil {
			t.Fatal(err)
		}
		set, err := weights.OpenForm(path, r.Network, checkpoint.Choice{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { set.Close() })
		return set
	}
	train := open(filepath.Join(dir, "train_cfg.py"), filepath.Join(dir, "train.pth"))
	if form == model.Train {
		return train
	}
	path := filepath.Join(t.TempDir(), "deploy.pth")
	if err := convert.WriteDeploy(t.Context(), train, path, repvgg.MMClassification, nil); err != nil {
		t.Fatal(err)
	}
	return open(filepath.Join(dir, "deploy_cfg.py"), path)
}
