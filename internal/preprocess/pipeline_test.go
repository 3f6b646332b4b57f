package preprocess

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The steps of ImageNet's pipeline.
var (
	shortSide = Resize{Side: "short", Length: 256, Backend: "pillow", Interpolation: "bilinear"}
	middle224 = CenterCrop{Height: 224, Width: 224}
	imagenet  = Normalize{Mean: []float64{123.675, 116.28, 103.53}, Std: []float64{58.395, 57.12, 57.375}, ToRGB: true}
)

func mustNew(t *testing.T, steps ...Step) *Pipeline {
	t.Helper()
	p, err := New(steps)
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
		resize := shortSide
		resize.Backend = backend
		pipelines[backend] = mustNew(t, Load{}, resize, middle224, imagenet)
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

// golden are the steps of pipeline_golden.json, by the text that they have there.
var golden = map[string][]Step{
	"dict(type='CenterCrop', crop_size=30)":                          {CenterCrop{Height: 30, Width: 30}},
	"dict(type='CenterCrop', crop_size=(31, 16))":                    {CenterCrop{Height: 31, Width: 16}},
	"dict(type='CenterCrop', crop_size=30, efficientnet_style=True)": {CenterCrop{Height: 30, Width: 30, EfficientNet: true, Padding: 32, Backend: "cv2", Interpolation: "bilinear"}},
	"dict(type='CenterCrop', crop_size=16, efficientnet_style=True, crop_padding=0)": {
		CenterCrop{Height: 16, Width: 16, EfficientNet: true, Backend: "cv2", Interpolation: "bilinear"}},
	"dict(type='CenterCrop', crop_size=25, efficientnet_style=True, crop_padding=7, interpolation='bicubic', backend='pillow')": {
		CenterCrop{Height: 25, Width: 25, EfficientNet: true, Padding: 7, Backend: "pillow", Interpolation: "bicubic"}},
	"dict(type='Resize', size=20)":                   {Resize{Height: 20, Width: 20, Backend: "cv2", Interpolation: "bilinear"}},
	"dict(type='Resize', size=20, backend='pillow')": {Resize{Height: 20, Width: 20, Backend: "pillow", Interpolation: "bilinear"}},
	"dict(type='Resize', size=(20, 31), interpolation='bicubic', backend='pillow')": {
		Resize{Height: 20, Width: 31, Backend: "pillow", Interpolation: "bicubic"}},
	"dict(type='Resize', size=(20, -1))": {Resize{Side: "short", Length: 20, Backend: "cv2", Interpolation: "bilinear"}},
	"dict(type='Resize', size=(20, -1), adaptive_side='short', interpolation='area')": {
		Resize{Side: "short", Length: 20, Backend: "cv2", Interpolation: "area"}},
	"dict(type='Resize', size=(33, -1), adaptive_side='height', interpolation='nearest')": {
		Resize{Side: "height", Length: 33, Backend: "cv2", Interpolation: "nearest"}},
	"dict(type='Resize', size=(33, -1), adaptive_side='long')": {Resize{Side: "long", Length: 33, Backend: "cv2", Interpolation: "bilinear"}},
	"dict(type='Resize', size=(33, -1), adaptive_side='width', interpolation='lanczos', backend='pillow')": {
		Resize{Side: "width", Length: 33, Backend: "pillow", Interpolation: "lanczos"}},
	"dict(type='Resize', size=(41, -1), backend='pillow')": {Resize{Side: "short", Length: 41, Backend: "pillow", Interpolation: "bilinear"}},
	"dict(type='Resize', size=(40, -1), backend='pillow'), dict(type='CenterCrop', crop_size=32)": {
		Resize{Side: "short", Length: 40, Backend: "pillow", Interpolation: "bilinear"}, CenterCrop{Height: 32, Width: 32}},
	"dict(type='CenterCrop', crop_size=50), dict(type='Resize', size=(40, -1), backend='pillow'), dict(type='CenterCrop', crop_size=31)": {
		CenterCrop{Height: 50, Width: 50}, Resize{Side: "short", Length: 40, Backend: "pillow", Interpolation: "bilinear"}, CenterCrop{Height: 31, Width: 31}},
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
			described, ok := golden[steps]
			if !ok {
				t.Fatalf("no steps for %s", steps)
			}
			p = mustNew(t, described...)
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
	if err := mustNew(t, Load{}, imagenet).Tensor(m, got); err != nil {
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
	mean, std := []float64{1, 2, 3}, []float64{1, 1, 2}
	for _, c := range []struct {
		steps []Step
		want  []float32
	}{
		{[]Step{Load{}}, []float32{30, 31, 20, 21, 10, 11}},
		{[]Step{Load{}, Normalize{Mean: mean, Std: std, ToRGB: true}}, []float32{9, 10, 18, 19, 13.5, 14}},
		{[]Step{Load{}, Normalize{Mean: mean, Std: std}}, []float32{29, 30, 18, 19, 3.5, 4}},
	} {
		got := make([]float32, 6)
		if err := mustNew(t, c.steps...).Tensor(m, got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.steps, got, c.want)
		}
	}
}

func TestRun(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(testdata, "images", "rgb.png"))
	if err != nil {
		t.Fatal(err)
	}
	p := mustNew(t, Load{}, shortSide, middle224, imagenet)
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

func TestNewErrors(t *testing.T) {
	for _, c := range []struct {
		step  Step // after Load
		field string
		want  string
	}{
		{Load{}, "", "images are read once"},
		{Resize{Height: 0, Width: 3, Backend: "cv2", Interpolation: "bilinear"}, "Height", "got 0 and 3"},
		{Resize{Height: 3, Width: maxSide + 1, Backend: "cv2", Interpolation: "bilinear"}, "Height", "want a positive height and width"},
		{Resize{Side: "long", Backend: "cv2", Interpolation: "bilinear"}, "Length", "want a positive length, got 0"},
		{Resize{Side: "top", Length: 3, Backend: "cv2", Interpolation: "bilinear"}, "Side", "[short long height width]"},
		{Resize{Height: 3, Width: 3, Backend: "turbo", Interpolation: "bilinear"}, "Interpolation", "[cv2 pillow]"},
		{Resize{Height: 3, Width: 3, Backend: "cv2", Interpolation: "box"}, "Interpolation", "[nearest bilinear bicubic area lanczos]"},
		{Resize{Height: 3, Width: 3, Backend: "pillow", Interpolation: "area"}, "Interpolation", "[nearest bilinear bicubic box lanczos hamming]"},
		{CenterCrop{Height: 3, Width: -1}, "Height", "got 3 and -1"},
		{CenterCrop{Height: 3, Width: 4, EfficientNet: true, Backend: "cv2", Interpolation: "bilinear"}, "Height", "want a square"},
		{CenterCrop{Height: 3, Width: 3, EfficientNet: true, Padding: -1, Backend: "cv2", Interpolation: "bilinear"}, "Padding", "got -1"},
		{CenterCrop{Height: 3, Width: 3, EfficientNet: true, Backend: "cv2"}, "Interpolation", `interpolation "" is not one of`},
		{Normalize{Mean: []float64{1, 2}, Std: []float64{1, 1}}, "Mean", "want 3 numbers, or 1 for grey images, got 2"},
		{Normalize{Mean: []float64{1, 2, 3}, Std: []float64{1}}, "Std", "want as many numbers as the mean has, 3, got 1"},
		{Normalize{Mean: []float64{1, 2, 3}, Std: []float64{1, 0, 1}}, "Std", "0 is not a number to normalise with"},
		{Normalize{Mean: []float64{1, math.NaN(), 3}, Std: []float64{1, 1, 1}}, "Mean", "NaN is not a number"},
	} {
		_, err := New([]Step{Load{}, c.step})
		var bad *StepError
		if !errors.As(err, &bad) || bad.Step != 1 || bad.Field != c.field || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "step 1: "+c.field) {
			t.Errorf("%+v: error %v, want one with %q", c.step, err, c.want)
		}
	}
	for _, after := range []Step{Load{}, shortSide, middle224, imagenet} {
		var bad *StepError
		if _, err := New([]Step{shortSide, imagenet, after}); !errors.As(err, &bad) || bad.Step != 2 || bad.Field != "" {
			t.Errorf("%T after Normalize: error %v", after, err)
		}
	}
}

// TestApplyErrors resizes to sizes that cannot be.
func TestApplyErrors(t *testing.T) {
	for _, c := range []struct {
		step          Step
		width, height int
		want          string
	}{
		{Resize{Side: "long", Length: 4, Backend: "cv2", Interpolation: "bilinear"}, 1, 100, "0 pixels wide"},
		{Resize{Side: "short", Length: 60000, Backend: "cv2", Interpolation: "bilinear"}, 1, 100, "over the limit"},
		{CenterCrop{Height: 1, Width: 1, EfficientNet: true, Padding: 1000, Backend: "cv2", Interpolation: "bilinear"}, 100, 100, "0 pixels wide"},
	} {
		_, err := mustNew(t, Load{}, c.step).Apply(noise(1, c.width, c.height))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.step, err, c.want)
		}
	}
}

// TestOutputSize: which pipelines have results of one size.
func TestOutputSize(t *testing.T) {
	side := func(name string, length int) Step {
		return Resize{Side: name, Length: length, Backend: "cv2", Interpolation: "bilinear"}
	}
	for _, c := range []struct {
		steps         []Step
		height, width int
		ok            bool
	}{
		{[]Step{Resize{Height: 3, Width: 4, Backend: "cv2", Interpolation: "bilinear"}}, 3, 4, true},
		{[]Step{CenterCrop{Height: 5, Width: 5}}, 0, 0, false},
		{[]Step{side("short", 8), CenterCrop{Height: 8, Width: 5}}, 8, 5, true},
		{[]Step{side("short", 8), CenterCrop{Height: 9, Width: 9}}, 0, 0, false},
		{[]Step{side("long", 8), CenterCrop{Height: 8, Width: 8}}, 0, 0, false},
		{[]Step{side("height", 8), CenterCrop{Height: 4, Width: 1}}, 4, 1, true},
		{[]Step{CenterCrop{Height: 9, Width: 9, EfficientNet: true, Padding: 32, Backend: "cv2", Interpolation: "bilinear"}}, 9, 9, true},
		{nil, 0, 0, false},
	} {
		h, w, ok := mustNew(t, append([]Step{Load{}}, c.steps...)...).OutputSize()
		if h != c.height || w != c.width || ok != c.ok {
			t.Errorf("%+v: %d, %d, %v", c.steps, h, w, ok)
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
	mean, std := []float64{1, 20, 30}, []float64{2, 3, 4}
	for _, steps := range [][]Step{
		nil, {Load{}},
		{Normalize{Mean: mean, Std: std, ToRGB: true}},
		{Load{}, Normalize{Mean: mean, Std: std, ToRGB: true}},
		{Load{}, Normalize{Mean: mean, Std: std}},
	} {
		p := mustNew(t, steps...)
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
					t.Fatalf("%+v: pixel %d of plane %d is %v, want %v", steps, i, plane, got, want[plane*area+i])
				}
			}
		}
		if err := p.Pixels(colour, pixels[1:]); !errors.Is(err, ErrSize) {
			t.Errorf("a place that is too small: %v", err)
		}
	}
}
