package repvgg_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"repvgg"
)

const digits = "testdata/digits/"

func Example() {
	ctx := context.Background()
	c, err := repvgg.Open(ctx, digits+"configs/repvgg-digits.py", digits+"train.pth", repvgg.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	predictions, err := c.ClassifyFiles(ctx, digits+"data/digits/val/2/0002.png", digits+"data/digits/val/9/0009.png")
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range predictions {
		fmt.Printf("%s (%.2f)\n", p.Class, p.Scores[p.Label])
	}
	// Output:
	// 2 (1.00)
	// 9 (1.00)
}

// TestClassifier compares with the scores that the original wrote for its train
// form, in all ways to classify.
func TestClassifier(t *testing.T) {
	data, err := os.ReadFile(digits + "train.result.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Scores [][]float64 `json:"class_scores"`
		Labels []int       `json:"pred_label"`
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(digits + "data/digits/val.txt")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for line := range strings.Lines(string(list)) {
		paths = append(paths, digits+"data/digits/val/"+strings.Fields(line)[0])
	}
	deploy := filepath.Join(t.TempDir(), "deploy.safetensors")
	if err := repvgg.Reparameterize(t.Context(), digits+"configs/repvgg-digits.py", digits+"train.pth", deploy); err != nil {
		t.Fatal(err)
	}
	for _, ckpt := range []string{digits + "train.pth", digits + "deploy.pth", deploy} {
		c, err := repvgg.Open(t.Context(), digits+"configs/repvgg-digits_deploy.py", ckpt, repvgg.Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		got, err := c.ClassifyFiles(t.Context(), paths...)
		if err != nil || len(got) != len(want.Labels) {
			t.Fatalf("%d predictions, want %d (%v)", len(got), len(want.Labels), err)
		}
		for i, p := range got {
			if p.Label != want.Labels[i] || p.Class != fmt.Sprint(p.Label) {
				t.Errorf("%s: image %d is a %s (%d), want %d", ckpt, i, p.Class, p.Label, want.Labels[i])
			}
			for class, score := range p.Scores {
				if d := math.Abs(float64(score) - want.Scores[i][class]); !(d <= 1e-5) {
					t.Fatalf("%s: image %d: score %d differs by %g", ckpt, i, class, d)
				}
			}
		}
		file, err := os.ReadFile(paths[7])
		if err != nil {
			t.Fatal(err)
		}
		one, err := c.Classify(t.Context(), file)
		if err != nil || one.Label != got[7].Label || !slices.Equal(one.Scores, got[7].Scores) {
			t.Errorf("alone, image 7 gives %v (%v), want %v", one, err, got[7])
		}
	}
}

// TestOpenErrors has configs and checkpoints that do not fit, and leaves nothing
// behind.
func TestOpenErrors(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	cfg, ckpt := digits+"configs/repvgg-digits.py", digits+"train.pth"
	base, err := filepath.Abs(cfg)
	if err != nil {
		t.Fatal(err)
	}
	arrays := filepath.Join(t.TempDir(), "arrays.py")
	text := fmt.Sprintf("_base_ = %q\ndata = dict(test=dict(pipeline=[dict(type='ImageToTensor', keys=['img'])]))\n", base)
	if err := os.WriteFile(arrays, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cfg, ckpt string
		overrides []string
		want      string
	}{
		{"none.py", ckpt, nil, "none.py"},
		{cfg, "none.pth", nil, "none.pth"},
		{cfg, cfg, nil, "not a PyTorch checkpoint"},
		{"repvgg-A0", ckpt, nil, "does not fit the config"},
		{cfg, ckpt, []string{"model.head.num_classes=7"}, "head.fc.weight has shape (10, 128)"},
		{arrays, ckpt, nil, "it is not for image files"},
		{cfg, ckpt, []string{"model.backbone.in_channels=1"}, "the network takes 1"},
	} {
		got, err := repvgg.Open(t.Context(), c.cfg, c.ckpt, repvgg.Options{Overrides: c.overrides})
		if err == nil {
			got.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s and %q: got error %v, want %q", c.cfg, c.ckpt, c.overrides, err, c.want)
		}
	}
	c, err := repvgg.Open(t.Context(), cfg, ckpt, repvgg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Classify(t.Context(), []byte("no image")); err == nil {
		t.Error("something that is no image was classified")
	}
	if _, err := c.ClassifyFiles(t.Context(), digits+"data/digits/val/2/0002.png", ckpt); err == nil || !strings.Contains(err.Error(), ckpt) {
		t.Errorf("got error %v for a file that is no image", err)
	}
	if got, err := c.ClassifyFiles(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("%v, %v for no files", got, err)
	}
	if err := repvgg.Reparameterize(t.Context(), cfg, digits+"deploy.pth", filepath.Join(tmp, "x.pth")); err == nil {
		t.Error("a deploy checkpoint was fused")
	}
	for _, dst := range []string{"x.onnx", "x"} {
		if err := repvgg.Reparameterize(t.Context(), cfg, ckpt, filepath.Join(tmp, dst)); err == nil || !strings.Contains(err.Error(), "must end in .pth or .safetensors") {
			t.Errorf("got error %v for %s", err, dst)
		}
	}
	if err := repvgg.Reparameterize(t.Context(), digits+"configs/repvgg-digits_deploy.py", ckpt, filepath.Join(tmp, "x.pth")); err == nil || !strings.Contains(err.Error(), "give the train config") {
		t.Errorf("got error %v for a deploy config", err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left %v behind (%v)", left, err)
	}
}

// TestOverwriteSource keeps a training checkpoint from being replaced by what is
// made of it.
func TestOverwriteSource(t *testing.T) {
	data, err := os.ReadFile(digits + "train.pth")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "train.pth")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := repvgg.Reparameterize(t.Context(), digits+"configs/repvgg-digits.py", path, path); err == nil || !strings.Contains(err.Error(), "it is the checkpoint that is read") {
		t.Errorf("got error %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || !slices.Equal(got, data) {
		t.Errorf("the checkpoint was changed (%v)", err)
	}
}

// TestConcurrentUse classifies from several goroutines, then ends.
func TestConcurrentUse(t *testing.T) {
	c, err := repvgg.Open(t.Context(), digits+"configs/repvgg-digits.py", digits+"train.pth", repvgg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{digits + "data/digits/val/2/0002.png", digits + "data/digits/val/9/0009.png"}
	file, err := os.ReadFile(paths[1])
	if err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	for range 4 {
		g.Go(func() error {
			c.Classes()[0] = "mine"
			many, err := c.ClassifyFiles(t.Context(), paths...)
			if err != nil {
				return err
			}
			one, err := c.Classify(t.Context(), file)
			if err != nil || one.Class != "9" || many[0].Class != "2" || !slices.Equal(one.Scores, many[1].Scores) {
				return fmt.Errorf("%v alone, %v among others (%w)", one, many, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.ClassifyFiles(cancelled, paths...); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v after the context's end", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Classify(t.Context(), file); err == nil {
		t.Error("a closed classifier classified")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestNoNumbers has networks with weights that are not numbers, and with such that
// make scores which are not.
func TestNoNumbers(t *testing.T) {
	cfg := digits + "configs/repvgg-digits.py"
	path := filepath.Join(t.TempDir(), "nan.safetensors")
	if err := repvgg.Reparameterize(t.Context(), cfg, digits+"train.pth", path); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bias := file[len(file)-4:] // the head's last
	copy(bias, "\xff\xff\xff\xff")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := repvgg.Open(t.Context(), cfg, path, repvgg.Options{}); err == nil || !strings.Contains(err.Error(), "head.fc.bias has the value NaN at (9,)") {
		t.Errorf("got error %v", err)
	}
	copy(bias, "\x00\x00\x00\x00")
	for i := range 32 { // the largest numbers there are as weights of a class
		copy(file[len(file)-4*(10+32)+4*i:], "\xff\xff\x7f\x7f")
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := repvgg.Open(t.Context(), cfg, path, repvgg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	image := digits + "data/digits/val/2/0002.png"
	if _, err := c.ClassifyFiles(t.Context(), image); err == nil || !strings.Contains(err.Error(), "0002.png\": the network's scores are not numbers") {
		t.Errorf("got error %v", err)
	}
}
