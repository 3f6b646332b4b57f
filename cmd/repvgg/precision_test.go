package main

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/recipe"
)

// variedDigits returns n inputs of the digits network: its test images, shifted by
// up to two pixels, with noise.
func variedDigits(t *testing.T, cfg string, n int) []float32 {
	t.Helper()
	r, err := recipe.Load(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	pipeline, err := r.Pipeline()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(testdata, "digits", "data", "digits", "val", "*", "*.png"))
	if err != nil || len(files) < 300 {
		t.Fatalf("%d images, %v", len(files), err)
	}
	const side, size = 32, 3 * 32 * 32
	rng := rand.New(rand.NewPCG(1, 9))
	inputs := make([]float32, n*size)
	image := make([]float32, size)
	for i := range n {
		data, err := os.ReadFile(files[i%len(files)])
		if err != nil {
			t.Fatal(err)
		}
		if h, w, err := pipeline.Run(data, image); err != nil || h != side || w != side {
			t.Fatalf("%dx%d, %v", h, w, err)
		}
		dy, dx := rng.IntN(5)-2, rng.IntN(5)-2
		for k := range image {
			c, y, x := k/(side*side), k/side%side, k%side
			from := (c*side+min(max(y+dy, 0), side-1))*side + min(max(x+dx, 0), side-1)
			inputs[i*size+k] = image[from] + float32(0.1*rng.NormFloat64())
		}
	}
	return inputs
}

// TestBF16AgreesWithFP32 compares the two precisions on a trained network.
func TestBF16AgreesWithFP32(t *testing.T) {
	const n, classes = 1000, 10
	digits := filepath.Join(testdata, "digits")
	for form, ckpt := range map[string]string{"repvgg-digits.py": "train.pth", "repvgg-digits_deploy.py": "deploy.pth"} {
		name := filepath.Join(digits, "configs", form)
		inputs := variedDigits(t, name, n)
		plan := loadPlanFor(t, name)
		weights := openWeights(t, plan, filepath.Join(digits, ckpt))
		var scores [2][]float32
		for i, precision := range []engine.Precision{engine.FP32, engine.BF16} {
			r, err := cpu.New(plan, weights, cpu.Options{Precision: precision, Height: 32, Width: 32})
			if precision == engine.BF16 && err != nil && strings.Contains(err.Error(), "bf16 needs") {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			scores[i] = make([]float32, n*classes)
			if err := r.Run(t.Context(), scores[i], inputs, n, 32, 32); err != nil {
				t.Fatal(err)
			}
			rounded := 0
			layers := r.Capabilities().Layers()
			for _, l := range layers {
				if strings.Contains(l.Algorithm, "bf16") {
					rounded++
				}
			}
			t.Logf("%s, %v: %d of %d layers in bf16", form, precision, rounded, len(layers))
			if (rounded > 0) != (precision == engine.BF16) {
				t.Errorf("%d layers are computed in bf16", rounded)
			}
		}
		agree, worst, largest := 0, 0.0, 0.0
		for i := range n {
			a, b := scores[0][i*classes:][:classes], scores[1][i*classes:][:classes]
			if slices.Index(a, slices.Max(a)) == slices.Index(b, slices.Max(b)) {
				agree++
			}
			for k := range a {
				worst = max(worst, math.Abs(float64(a[k]-b[k])))
				largest = max(largest, math.Abs(float64(a[k])))
			}
		}
		t.Logf("%s: %d of %d top-1 agree; logits differ by up to %.3g of %.3g", form, agree, n, worst, largest)
		if agree < n*99/100 {
			t.Errorf("%s: only %d of %d top-1 agree", form, agree, n)
		}
	}
}
