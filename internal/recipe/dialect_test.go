package recipe

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/config"
	"repvgg/internal/cpu"
	"repvgg/internal/dataset"
	"repvgg/internal/eval"
	"repvgg/internal/flops"
	"repvgg/internal/metrics"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/preprocess"
	"repvgg/internal/report"
	"repvgg/internal/weights"
)

// madeUp is a made-up dialect. It shows all that a new dialect needs.
var madeUp = &dialect{
	detect:   func(cfg *config.Config) bool { return cfg.Root().Has("net") },
	network:  madeUpNetwork,
	details:  func(*config.Config) (*flops.Details, error) { return &flops.Details{Loss: "Hinge"}, nil },
	pipeline: madeUpPipeline,
	data:     madeUpData,
	images:   "photos",
	dataset:  "photos.set",
}

func madeUpNetwork(cfg *config.Config) (*model.Plan, string, error) {
	net, err := at(cfg, "net")
	if err != nil {
		return nil, "", err
	}
	var keys struct {
		Blocks  []int       `config:"blocks,required"`
		Widths  []int       `config:"widths,required"` // channels of the stages
		Split   map[int]int `config:"split"`
		Strides []int       `config:"strides"`
		Classes int         `config:"classes,required"`
	}
	if err := net.DecodeStrict(&keys); err != nil {
		return nil, "", err
	}
	c := repvgg.Default()
	c.Strides, c.Classes = keys.Strides, keys.Classes
	c.Arch = repvgg.Arch{NumBlocks: keys.Blocks, GroupLayers: keys.Split, StemChannels: repvgg.DefaultStemChannels}
	for stage, width := range keys.Widths {
		c.Arch.WidthFactor = append(c.Arch.WidthFactor, float64(width)/float64(c.BaseChannels<<stage))
	}
	p, err := repvgg.Assemble(c)
	return p, "", err
}

func madeUpPipeline(cfg *config.Config) (*preprocess.Pipeline, error) {
	photos, err := at(cfg, "photos")
	if err != nil {
		return nil, err
	}
	var keys struct {
		Shorter int       `config:"shorter,required"`
		Middle  int       `config:"middle,required"`
		Minus   []float64 `config:"minus,required"`
		Over    []float64 `config:"over,required"`
	}
	if err := photos.Decode(&keys); err != nil {
		return nil, err
	}
	return preprocess.New([]preprocess.Step{
		preprocess.Load{},
		preprocess.Resize{Side: "short", Length: keys.Shorter, Backend: "pillow", Interpolation: "bilinear"},
		preprocess.CenterCrop{Height: keys.Middle, Width: keys.Middle},
		preprocess.Normalize{Mean: keys.Minus, Std: keys.Over, ToRGB: true},
	})
}

func madeUpData(cfg *config.Config) (*Data, error) {
	photos, err := at(cfg, "photos")
	if err != nil {
		return nil, err
	}
	var keys struct {
		AtOnce int            `config:"at_once"`
		Set    config.Section `config:"set,required"`
	}
	if err := photos.Decode(&keys); err != nil {
		return nil, err
	}
	var set struct {
		Folder string `config:"folder,required"`
		List   string `config:"list,required"`
		Names  string `config:"names,required"`
	}
	if err := keys.Set.DecodeStrict(&set); err != nil {
		return nil, err
	}
	return &Data{
		Source:    dataset.Source{Type: "CustomDataset", Prefix: set.Folder, AnnFile: set.List, Classes: strings.Fields(set.Names)},
		BatchSize: keys.AtOnce,
		section:   keys.Set,
		keys:      map[string]string{"Prefix": "folder", "AnnFile": "list"},
	}, nil
}

const madeUpDigits = `
net = dict(blocks=[1, 2, 3, 1], widths=[16, 32, 64, 128], split={3: 2, 5: 4}, strides=[1, 2, 2, 2], classes=10)
photos = dict(
    at_once=64, shorter=36, middle=32, minus=[123.675, 116.28, 103.53], over=[58.395, 57.12, 57.375],
    set=dict(folder='data/digits/val', list='data/digits/val.txt', names='0 1 2 3 4 5 6 7 8 9'))
`

func readMadeUp(t *testing.T, overrides ...string) *Recipe {
	t.Helper()
	cfg, err := config.Load(write(t, madeUpDigits), overrides)
	if err != nil {
		t.Fatal(err)
	}
	r, err := read(cfg, append([]*dialect{madeUp}, dialects...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// evaluate tests the network of a recipe on the digits, and returns the result
// file.
func evaluate(t *testing.T, r *Recipe) []byte {
	t.Helper()
	set, err := weights.OpenForm("train.pth", r.Network, checkpoint.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	runner, err := cpu.New(r.Network, set, cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close()
	data, err := r.Data()
	if err != nil {
		t.Fatal(err)
	}
	images, err := data.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pipeline, err := r.Pipeline()
	if err != nil {
		t.Fatal(err)
	}
	p, err := eval.Predict(t.Context(), runner, pipeline, images.Samples, eval.Options{BatchSize: data.BatchSize, Classes: r.Network.Head.Classes})
	if err != nil {
		t.Fatal(err)
	}
	result := &report.Result{Scores: p.Scores, Classes: images.Classes}
	for _, i := range p.Samples {
		result.Filenames = append(result.Filenames, images.Samples[i].Name)
		result.Labels = append(result.Labels, images.Samples[i].Label)
	}
	result.Metrics, err = metrics.Evaluate(p.Scores, len(images.Classes), result.Labels, []string{metrics.Accuracy, metrics.Support}, metrics.Options{})
	if err != nil {
		t.Fatal(err)
	}
	items, err := report.Items([]string{"all", report.Filename, report.GTLabel})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "result.json")
	if err := result.Write(path, items); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestMadeUpDialect checks that a new dialect works: the same network and images,
// written in it, give the same result file, byte for byte.
func TestMadeUpDialect(t *testing.T) {
	t.Chdir("../../testdata/digits")
	want := evaluate(t, mustRead(t, "configs/repvgg-digits.py"))
	if got := evaluate(t, readMadeUp(t)); !bytes.Equal(got, want) {
		t.Errorf("the results differ: %.300s\nwant %.300s", got, want)
	}
	if !bytes.Contains(want, []byte(`"accuracy_top-1": 99.33`)) {
		t.Errorf("results %.300s", want)
	}
	// Without the dialect, the one that accepts every config reports what is missing.
	if _, err := Load(write(t, madeUpDigits), nil); err == nil || !strings.HasSuffix(err.Error(), "model: missing (there is net, photos)") {
		t.Error(err)
	}
	if details, err := readMadeUp(t).Details(); err != nil || details.Loss != "Hinge" {
		t.Errorf("%+v, %v", details, err)
	}
}

// TestMadeUpUnread checks that the rule about overrides is the same for every
// dialect.
func TestMadeUpUnread(t *testing.T) {
	r := readMadeUp(t, "extra=1", "photos.blur=2", "photos.set.mirror=True")
	for _, c := range []struct {
		ask  func() error
		want []string
	}{
		{func() error { return nil }, []string{"extra=1"}},
		{func() error { _, err := r.Pipeline(); return err }, []string{"extra=1", "photos.blur=2"}},
		{func() error { _, err := r.Data(); return err }, []string{"extra=1", "photos.blur=2", "photos.set.mirror=True"}},
	} {
		// The data set refuses the unknown key, but it was read.
		if err := c.ask(); err != nil && !strings.HasSuffix(err.Error(), "photos.set.mirror: unknown key: known are folder, list, names") {
			t.Error(err)
		}
		if got := r.Unread(); !slices.Equal(got, c.want) {
			t.Errorf("unread %q, want %q", got, c.want)
		}
	}
}
