package preprocess

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"repvgg/internal/config/configtest"
)

const (
	load     = "dict(type='LoadImageFromFile'), "
	imagenet = "dict(type='Normalize', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]), "
	collect  = "dict(type='ImageToTensor', keys=['img']), dict(type='Collect', keys=['img'])"
)

// build makes a pipeline from the text of its steps.
func build(t *testing.T, steps string) (*Pipeline, error) {
	t.Helper()
	sections, err := configtest.Test(t, "pipeline=["+steps+"]").Sections("pipeline")
	if err != nil {
		t.Fatal(err)
	}
	return NewPipeline(sections)
}

func mustBuild(t *testing.T, steps string) *Pipeline {
	t.Helper()
	p, err := build(t, steps)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestImages compares the golden images with mmcv: decoded, and after the usual
// pipeline with both backends, bit for bit, whichever JPEG decoder there is.
func TestImages(t *testing.T) {
	type entry struct {
		Shape  [2]int
		SHA256 string
	}
	var expected map[string]map[string]entry
	readJSON(t, "expected.json", &expected)
	if len(expected) != 31 {
		t.Fatalf("expected.json has %d images, want 31", len(expected))
	}
	pipelines := map[string]*Pipeline{}
	for _, backend := range []string{"pillow", "cv2"} {
		pipelines[backend] = mustBuild(t, load+"dict(type='Resize', size=(256, -1), backend='"+backend+"'), dict(type='CenterCrop', crop_size=224), "+imagenet+collect)
	}
	for name, want := range expected {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(testdata, "images", name))
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			compare := func(stage string, m *Image) {
				if got := [2]int{m.Height, m.Width}; got != want[stage].Shape {
					t.Errorf("%s: %v (height, width), want %v", stage, got, want[stage].Shape)
				} else if hash(m) != want[stage].SHA256 {
					t.Errorf("%s: pixels differ", stage)
				}
			}
			compare("decoded", decoded)
			before := hash(decoded)
			for backend, p := range pipelines {
				m, err := p.Apply(decoded)
				if err != nil {
					t.Fatal(err)
				}
				compare(backend, m)
			}
			if hash(decoded) != before {
				t.Error("Apply changed its argument")
			}
		})
	}
}

// TestPipelineGolden compares the sizes and pixels of resizes and crops.
func TestPipelineGolden(t *testing.T) {
	var cases [][]any
	readJSON(t, "pipeline_golden.json", &cases)
	pipelines := map[string]*Pipeline{}
	fixed := 0
	for _, c := range cases {
		steps := c[0].(string)
		p := pipelines[steps]
		if p == nil {
			p = mustBuild(t, load+steps+", "+collect)
			pipelines[steps] = p
		}
		var n [5]int
		for i := range n {
			n[i] = int(c[1+i].(float64))
		}
		m, err := p.Apply(noise(uint64(n[0]), n[1], n[2]))
		if err != nil {
			t.Errorf("%s of %dx%d: %v", steps, n[1], n[2], err)
			continue
		}
		if m.Width != n[3] || m.Height != n[4] {
			t.Errorf("%s of %dx%d: %dx%d, want %dx%d", steps, n[1], n[2], m.Width, m.Height, n[3], n[4])
		} else if hash(m)[:16] != c[6] {
			t.Errorf("%s of %dx%d: pixels differ", steps, n[1], n[2])
		}
		if h, w, ok := p.OutputSize(); ok {
			fixed++
			if w != n[3] || h != n[4] {
				t.Errorf("%s: OutputSize is %dx%d, but the result %dx%d", steps, w, h, n[3], n[4])
			}
		}
	}
	if len(pipelines) < 16 || fixed < 50 {
		t.Errorf("%d pipelines, %d fixed sizes: too few to tell anything", len(pipelines), fixed)
	}
}

func TestNormalizeGolden(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(testdata, "normalize_all_256.npy"))
	if err != nil {
		t.Fatal(err)
	}
	data = data[len(data)-4*3*256:] // shape (1, 256, 3)
	m := &Image{Width: 256, Height: 1, Pix: make([]byte, 3*256)}
	for i := range m.Pix {
		m.Pix[i] = byte(i / 3)
	}
	got := make([]float32, 3*256)
	if err := mustBuild(t, load+imagenet+collect).Tensor(m, got); err != nil {
		t.Fatal(err)
	}
	for v := range 256 {
		for c := range 3 {
			want := math.Float32frombits(binary.LittleEndian.Uint32(data[4*(3*v+c):]))
			if got[256*c+v] != want {
				t.Fatalf("value %d of channel %d: %v, want %v", v, c, got[256*c+v], want)
			}
		}
	}
}

// TestChannelOrder spells out which plane comes first.
func TestChannelOrder(t *testing.T) {
	m := &Image{Width: 2, Height: 1, Pix: []byte{10, 20, 30, 11, 21, 31}} // red 10, 11
	norm := "dict(type='Normalize', mean=[1, 2, 3], std=[1, 1, 2], to_rgb=%s), "
	for _, c := range []struct {
		name, step string
		want       []float32
	}{
		{"raw", "", []float32{30, 31, 20, 21, 10, 11}},
		{"to_rgb=True", fmt.Sprintf(norm, "True"), []float32{9, 10, 18, 19, 13.5, 14}},
		{"to_rgb=False", fmt.Sprintf(norm, "False"), []float32{29, 30, 18, 19, 3.5, 4}},
	} {
		got := make([]float32, 6)
		if err := mustBuild(t, load+c.step+collect).Tensor(m, got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRun(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(testdata, "images", "rgb.png"))
	if err != nil {
		t.Fatal(err)
	}
	p := mustBuild(t, load+"dict(type='Resize', size=(256, -1), backend='pillow'), dict(type='CenterCrop', crop_size=224), "+imagenet+collect)
	if h, w, ok := p.OutputSize(); h != 224 || w != 224 || !ok {
		t.Errorf("OutputSize: %d, %d, %v", h, w, ok)
	}
	want := "Resize(short=256, bilinear, pillow) > CenterCrop(224x224) > Normalize(mean=[123.675 116.28 103.53], std=[58.395 57.12 57.375], rgb)"
	if got := p.String(); got != want {
		t.Errorf("String: %s\nwant %s", got, want)
	}
	single := make([]float32, 3*224*224)
	if h, w, err := p.Run(data, single); err != nil || h != 224 || w != 224 {
		t.Fatalf("%d, %d, %v", h, w, err)
	}
	if _, _, err := p.Run(data, single[1:]); !errors.Is(err, ErrSize) {
		t.Errorf("a slice that is too short: %v", err)
	}
	if _, _, err := p.Run([]byte("text"), single); err == nil {
		t.Error("a text file gave no error")
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			got := make([]float32, len(single))
			for range 3 {
				if _, _, err := p.Run(data, got); err != nil || !slices.Equal(got, single) {
					t.Errorf("concurrent runs differ, or %v", err)
				}
			}
		})
	}
	group.Wait()
}

func TestNewPipelineErrors(t *testing.T) {
	for _, c := range []struct{ steps, want string }{
		{"", "no steps"},
		{load, "without ImageToTensor"},
		{imagenet + load + collect, "LoadImageFromFile after Normalize"},
		{load + "dict(type='Pad', size=3), " + collect, "[LoadImageFromFile Resize CenterCrop Normalize ImageToTensor Collect]"},
		{load + "dict(size=3), " + collect, "type"},
		{load + load + collect, "twice"},
		{load + imagenet + "dict(type='Resize', size=3), " + collect, "Resize after Normalize"},
		{load + imagenet + imagenet + collect, "twice"},
		{"dict(type='LoadImageFromFile', to_float32=True), " + collect, "to_float32"},
		{"dict(type='LoadImageFromFile', color_type='grayscale'), " + collect, "grayscale"},
		{"dict(type='LoadImageFromFile', file_client_args=dict(backend='petrel')), " + collect, "petrel"},
		{load + "dict(type='Resize'), " + collect, "size"},
		{load + "dict(type='Resize', size=0), " + collect, "pipeline.1.size"},
		{load + "dict(type='Resize', size=(3, 0)), " + collect, "size"},
		{load + "dict(type='Resize', size=(3, 4, 5)), " + collect, "size"},
		{load + "dict(type='Resize', size='x'), " + collect, "size"},
		{load + "dict(type='Resize', size=3, backend='turbo'), " + collect, "[cv2 pillow]"},
		{load + "dict(type='Resize', size=3, interpolation='box'), " + collect, "[nearest bilinear bicubic area lanczos]"},
		{load + "dict(type='Resize', size=3, backend='pillow', interpolation='area'), " + collect, "[nearest bilinear bicubic box lanczos hamming]"},
		{load + "dict(type='Resize', size=(3, -1), adaptive_side='top'), " + collect, "[short long height width]"},
		{load + "dict(type='Resize', size=3, sharpen=1), " + collect, "sharpen"},
		{load + "dict(type='CenterCrop', crop_size=(3, -1)), " + collect, "crop_size"},
		{load + "dict(type='CenterCrop', crop_size=(3, 3), efficientnet_style=True), " + collect, "efficientnet_style"},
		{load + "dict(type='CenterCrop', crop_size=3, efficientnet_style=True, crop_padding=-1), " + collect, "crop_padding"},
		{load + "dict(type='Normalize', mean=[1, 2], std=[1, 1, 1]), " + collect, "mean"},
		{load + "dict(type='Normalize', mean=[1, 2, 3], std=[1, 0, 1]), " + collect, "std"},
		{load + "dict(type='ImageToTensor', keys=['gt_label'])", "img"},
	} {
		_, err := build(t, c.steps)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\nerror %v, want one with %q", c.steps, err, c.want)
		}
	}
}

// TestApplyErrors resizes to sizes that cannot be.
func TestApplyErrors(t *testing.T) {
	for _, c := range []struct {
		step          string
		width, height int
		want          string
	}{
		{"dict(type='Resize', size=(4, -1), adaptive_side='long')", 1, 100, "0 pixels wide"},
		{"dict(type='Resize', size=(60000, -1))", 1, 100, "over the limit"},
		{"dict(type='CenterCrop', crop_size=1, efficientnet_style=True, crop_padding=1000)", 100, 100, "0 pixels wide"},
	} {
		_, err := mustBuild(t, load+c.step+", "+collect).Apply(noise(1, c.width, c.height))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.step, err, c.want)
		}
	}
}

// TestOutputSize tells the pipelines whose result has one size.
func TestOutputSize(t *testing.T) {
	for _, c := range []struct {
		steps         string
		height, width int
		ok            bool
	}{
		{"dict(type='Resize', size=(3, 4)), ", 3, 4, true},
		{"dict(type='CenterCrop', crop_size=5), ", 0, 0, false},
		{"dict(type='Resize', size=(8, -1)), dict(type='CenterCrop', crop_size=(8, 5)), ", 8, 5, true},
		{"dict(type='Resize', size=(8, -1)), dict(type='CenterCrop', crop_size=9), ", 0, 0, false},
		{"dict(type='Resize', size=(8, -1), adaptive_side='long'), dict(type='CenterCrop', crop_size=8), ", 0, 0, false},
		{"dict(type='Resize', size=(8, -1), adaptive_side='height'), dict(type='CenterCrop', crop_size=(4, 1)), ", 4, 1, true},
		{"dict(type='CenterCrop', crop_size=9, efficientnet_style=True), ", 9, 9, true},
		{"", 0, 0, false},
	} {
		h, w, ok := mustBuild(t, load+c.steps+collect).OutputSize()
		if h != c.height || w != c.width || ok != c.ok {
			t.Errorf("%s: %d, %d, %v", c.steps, h, w, ok)
		}
	}
}

// TestTable: looking the pixels up gives what Tensor gives.
func TestTable(t *testing.T) {
	colour := &Image{Width: 3, Height: 2, Pix: make([]byte, 18)}
	for i := range colour.Pix {
		colour.Pix[i] = byte(i * 13)
	}
	const area = 6
	for _, steps := range []string{
		"", load,
		"dict(type='Normalize', mean=[1, 20, 30], std=[2, 3, 4]), ",
		load + "dict(type='Normalize', mean=[1, 20, 30], std=[2, 3, 4]), ",
		load + "dict(type='Normalize', mean=[1, 20, 30], std=[2, 3, 4], to_rgb=False), ",
	} {
		p := mustBuild(t, steps+collect)
		want, pixels := make([]float32, 3*area), make([]byte, 3*area)
		if err := p.Tensor(colour, want); err != nil {
			t.Fatal(err)
		}
		if err := p.Pixels(colour, pixels); err != nil {
			t.Fatal(err)
		}
		table, reversed := p.Table(3)
		for plane := range 3 {
			from := plane
			if reversed {
				from = 2 - plane
			}
			for i := range area {
				if got := table[256*plane+int(pixels[3*i+from])]; got != want[plane*area+i] {
					t.Fatalf("%s: pixel %d of plane %d is %v, want %v", steps, i, plane, got, want[plane*area+i])
				}
			}
		}
		if err := p.Pixels(colour, pixels[1:]); !errors.Is(err, ErrSize) {
			t.Errorf("a place that is too small: %v", err)
		}
	}
}
