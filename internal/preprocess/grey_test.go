package preprocess

import (
	"crypto/md5"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// grey makes the noise of testdata/datasets/make.py.
func grey(width, height int) *Image {
	m := &Image{Width: width, Height: height, Grey: true}
	for i := 0; len(m.Pix) < width*height; i++ {
		sum := md5.Sum(fmt.Append(nil, i))
		m.Pix = append(m.Pix, sum[:]...)
	}
	m.Pix = m.Pix[:width*height]
	return m
}

// TestResizeGrey compares images of one channel, bit for bit, with what Pillow
// 9.4 and OpenCV 4.6 gave.
func TestResizeGrey(t *testing.T) {
	var expected struct{ Grey [][]any }
	readJSON(t, "../datasets/expected.json", &expected)
	if len(expected.Grey) < 77 {
		t.Fatalf("there are only %d cases", len(expected.Grey))
	}
	for _, c := range expected.Grey {
		var n [4]int
		for i := range n {
			n[i] = int(c[2+i].(float64))
		}
		r, err := newResizer(c[0].(string), c[1].(string))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.apply(grey(n[1], n[0]), whole(n[3], n[2]), new(buffers))
		if err != nil {
			t.Fatal(err)
		}
		if hash(got)[:16] != c[6] {
			t.Errorf("%s %s, %dx%d to %dx%d: differs", c[0], c[1], n[1], n[0], n[3], n[2])
		}
	}
}

// TestWindows holds windows of resized images against the same windows of whole
// ones, for each filter.
func TestWindows(t *testing.T) {
	shapes := [][4]int{{50, 37, 34, 25}, {50, 37, 25, 25}, {40, 30, 20, 15}, {40, 30, 8, 10}, {33, 60, 33, 20}, {60, 33, 20, 33}, {20, 31, 70, 64}, {31, 20, 93, 20}}
	for _, backend := range []struct {
		name  string
		names []string
	}{{"pillow", pillowNames}, {"cv2", cv2Names}} {
		for _, name := range backend.names {
			r, err := newResizer(backend.name, name)
			if err != nil {
				t.Fatal(err)
			}
			b := new(buffers) // shared: nothing may be left from the image before
			for i, s := range shapes {
				src := noise(uint64(i), s[0], s[1])
				if i%3 == 2 {
					src.Grey, src.Pix = true, src.Pix[:s[0]*s[1]]
				}
				all, err := r.apply(src, whole(s[2], s[3]), new(buffers))
				if err != nil {
					t.Fatal(err)
				}
				for k, p := range []part{
					{s[2], s[3], 0, 0, s[2], s[3]},
					{s[2], s[3], 3, 2, s[2] - 1, s[3] - 4},
					{s[2], s[3], 1, 0, 4, s[3]},
					{s[2], s[3], s[2] - 1, s[3] - 1, s[2], s[3]},
				} {
					got, err := r.apply(src, p, b)
					if err != nil {
						t.Fatal(err)
					}
					want, err := crop(all, p.x0, p.y0, p.x1, p.y1, new(buffers))
					if err != nil {
						t.Fatal(err)
					}
					if got.Width != want.Width || got.Height != want.Height || got.Grey != src.Grey || !slices.Equal(got.Pix, want.Pix) {
						t.Errorf("%s %s, %v, window %d: differs from the whole", backend.name, name, s, k)
					}
				}
			}
		}
	}
}

// TestArrays spells out the planes of images that are not from files, in the
// order red, green, blue.
func TestArrays(t *testing.T) {
	colour := &Image{Width: 2, Height: 1, Pix: []byte{10, 20, 30, 11, 21, 31}}
	grey := &Image{Width: 3, Height: 1, Grey: true, Pix: []byte{10, 20, 30}}
	mean, std := []float64{1, 2, 3}, []float64{1, 1, 2}
	ten, two := []float64{10}, []float64{2}
	for _, c := range []struct {
		m       *Image
		steps   []Step
		summary string
		want    []float32
	}{
		{colour, nil, "0..255 rgb", []float32{10, 11, 20, 21, 30, 31}},
		{colour, []Step{Normalize{Mean: mean, Std: std}}, "Normalize(mean=[1 2 3], std=[1 1 2], rgb)", []float32{9, 10, 18, 19, 13.5, 14}},
		{colour, []Step{Normalize{Mean: mean, Std: std, ToRGB: true}}, "Normalize(mean=[1 2 3], std=[1 1 2], bgr)", []float32{29, 30, 18, 19, 3.5, 4}},
		{grey, nil, "0..255 rgb", []float32{10, 20, 30}},
		{grey, []Step{Normalize{Mean: ten, Std: two}}, "Normalize(mean=[10], std=[2], grey)", []float32{0, 5, 10}},
		{grey, []Step{Normalize{Mean: ten, Std: two, ToRGB: true}}, "Normalize(mean=[10], std=[2], grey)", []float32{0, 5, 10}},
	} {
		p := mustNew(t, c.steps...)
		if p.ReadsFiles() {
			t.Error("a pipeline without Load reads files")
		}
		if p.String() != c.summary {
			t.Errorf("summary %q, want %q", p, c.summary)
		}
		got := make([]float32, len(c.want))
		if err := p.Tensor(c.m, got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.steps, got, c.want)
		}
	}
	if p := mustNew(t, Load{}); !p.ReadsFiles() || p.String() != "0..255 bgr" {
		t.Errorf("reads files: %v, %s", p.ReadsFiles(), p)
	}
}

func TestCheckChannels(t *testing.T) {
	one := mustNew(t, Normalize{Mean: []float64{10}, Std: []float64{2}})
	three := mustNew(t, imagenet)
	for _, c := range []struct {
		p    *Pipeline
		m    *Image
		want string
	}{
		{one, noise(1, 2, 2), "Normalize has mean and std of 1 channels, but the images have 3"},
		{three, grey(2, 2), "Normalize has mean and std of 3 channels, but the images have 1"},
		{one, grey(2, 2), ""},
		{three, noise(1, 2, 2), ""},
	} {
		err := c.p.Tensor(c.m, make([]float32, len(c.m.Pix)))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// TestWorker takes images of many sizes through one worker, whose memory they
// share.
func TestWorker(t *testing.T) {
	crop := func(size int) Step { return CenterCrop{Height: size, Width: size} }
	for _, steps := range [][]Step{
		{Resize{Side: "short", Length: 40, Backend: "pillow", Interpolation: "bilinear"}, crop(32)},
		{Resize{Side: "short", Length: 40, Backend: "pillow", Interpolation: "nearest"}, crop(32)},
		{CenterCrop{Height: 30, Width: 30, EfficientNet: true, Padding: 32, Backend: "pillow", Interpolation: "bicubic"},
			Resize{Height: 20, Width: 20, Backend: "cv2", Interpolation: "bilinear"}, crop(32), crop(9)},
		{Resize{Side: "short", Length: 40, Backend: "cv2", Interpolation: "area"}},
	} {
		p := mustNew(t, steps...)
		w := p.NewWorker()
		for i := range 30 {
			src := noise(uint64(i), 33+17*i%90, 40+29*i%77)
			if i%5 == 4 {
				src.Grey, src.Pix = true, src.Pix[:src.Width*src.Height]
			}
			before := hash(src)
			got, err := w.Apply(src)
			if err != nil {
				t.Fatal(err)
			}
			want, err := p.Apply(src)
			if err != nil {
				t.Fatal(err)
			}
			if hash(got) != hash(want) || hash(src) != before {
				t.Fatalf("image %d: a worker's result differs, or its argument changed", i)
			}
		}
	}
}

// TestWideTaps resizes by so much that two sums could run into each other if
// the fast loops took that on.
func TestWideTaps(t *testing.T) {
	m := &Image{Width: 20000, Height: 2, Pix: slices.Repeat([]byte{255}, 3*20000*2)}
	r, err := newResizer("pillow", "box")
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.apply(m, whole(1, 1), new(buffers))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Pix, []byte{255, 255, 255}) {
		t.Errorf("white became %v", got.Pix)
	}
}
