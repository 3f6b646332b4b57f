package eval

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"repvgg/internal/dataset"
	"repvgg/internal/preprocess"
)

const fixtures = "../../testdata/datasets"

// cifar reads the images of the fixture without unpickling it. Package dataset
// refuses the file, because it is not the published one.
func cifar(t *testing.T) []dataset.Sample {
	t.Helper()
	const n, area = 5, 32 * 32
	file, err := os.ReadFile(filepath.Join(fixtures, "cifar-10-batches-py", "test_batch"))
	if err != nil {
		t.Fatal(err)
	}
	_, planes, ok := bytes.Cut(file, []byte("T\x00\x3c\x00\x00")) // a str of 15360 bytes
	if !ok || len(planes) < n*3*area {
		t.Fatal("the fixture has no images")
	}
	samples := make([]dataset.Sample, n)
	for i := range samples {
		pix := make([]byte, 3*area)
		for k := range pix {
			pix[k] = planes[3*area*i+area*(k%3)+k/3]
		}
		samples[i].Array = &dataset.Array{Height: 32, Width: 32, Channels: 3, Pix: pix}
	}
	return samples
}

// TestArrays compares the network's input for CIFAR and MNIST images with what
// mmcv's steps make of the same arrays.
func TestArrays(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixtures, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected struct {
		Tensors []struct {
			Set, Backend, Filter, SHA string
			Height, Width             int
			Mean, Std                 []float64
			ToRGB                     bool `json:"to_rgb"`
		}
	}
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	if len(expected.Tensors) != 10 {
		t.Fatalf("there are %d cases", len(expected.Tensors))
	}
	mnist, err := dataset.Open(t.Context(), dataset.Source{Type: "MNIST", Prefix: fixtures + "/mnist"})
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string][]dataset.Sample{"CIFAR10": cifar(t), "MNIST": mnist.Samples}
	for _, c := range expected.Tensors {
		var steps []preprocess.Step
		if c.Backend != "" {
			steps = append(steps, preprocess.Resize{Height: c.Height, Width: c.Width, Backend: c.Backend, Interpolation: c.Filter})
		}
		if len(c.Mean) > 0 {
			steps = append(steps, preprocess.Normalize{Mean: c.Mean, Std: c.Std, ToRGB: c.ToRGB})
		}
		var r runner
		if _, err := Predict(t.Context(), &r, arrayPipeline(t, steps...), sets[c.Set], Options{BatchSize: 4, Classes: 2}); err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		if err := binary.Write(h, binary.LittleEndian, r.images); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != c.SHA {
			t.Errorf("%s, %s: tensors differ", c.Set, steps)
		}
	}
}
