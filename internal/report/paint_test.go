package report

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/preprocess"
)

// plainImage returns an image with one colour.
func plainImage(t *testing.T, width, height int, c color.RGBA) *preprocess.Image {
	t.Helper()
	m, err := preprocess.NewImage(width, height)
	if err != nil {
		t.Fatal(err)
	}
	copy(m.Pix, bytes.Repeat([]byte{c.R, c.G, c.B}, width*height))
	return m
}

// changed returns the smallest rectangle with all pixels of another colour.
func changed(m image.Image, c color.RGBA) image.Rectangle {
	box := image.Rectangle{}
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if m.At(x, y) != c {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return box
}

// luminance and contrast are defined in the Web Content Accessibility Guidelines
// 2.1, which require a contrast of at least 4.5 for text.
func luminance(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.03928 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

func contrast(a, b color.RGBA) float64 {
	x, y := luminance(a)+0.05, luminance(b)+0.05
	return max(x/y, y/x)
}

var caption = []string{"pred_score: 0.93", "pred_label: 281", "pred_class: tabby, tabby cat", "gt_label: 281", "gt_class: tabby, tabby cat"}

func TestPaint(t *testing.T) {
	long := append([]string{"pred_class: " + strings.Repeat("synonym, ", 30)}, caption...)
	for _, c := range []struct {
		width, height int
		lines         []string
		right         bool
		background    color.RGBA
	}{
		{500, 375, caption, true, color.RGBA{255, 255, 255, 255}},
		{375, 500, caption, false, color.RGBA{255, 255, 255, 255}},
		{2000, 1500, caption, true, color.RGBA{40, 40, 40, 255}},
		{320, 320, long, false, color.RGBA{120, 200, 120, 255}},
		{640, 240, long, true, color.RGBA{255, 120, 120, 255}},
	} {
		t.Run(fmt.Sprintf("%dx%d", c.width, c.height), func(t *testing.T) {
			m := image.NewRGBA(image.Rect(0, 0, c.width, c.height))
			draw.Draw(m, m.Bounds(), image.NewUniform(c.background), image.Point{}, draw.Src)
			if err := paint(m, c.lines, c.right); err != nil {
				t.Fatal(err)
			}
			ink := rightColor
			if !c.right {
				ink = wrongColor
			}
			box := changed(m, c.background)
			if box.Min != (image.Point{}) || box.Dx() > c.width || box.Dx() < 100 || box.Dy() > c.height/2 {
				t.Errorf("the box is %v", box)
			}
			if got := m.RGBAAt(0, 0); got != ink {
				t.Errorf("the bar's colour is %v", got)
			}
			ground := m.RGBAAt(box.Max.X-1, 0)
			if got := contrast(ground, ink); got < 4.5 {
				t.Errorf("contrast %v of %v on %v", got, ink, ground)
			}
			checkText(t, m, box, ground, ink, len(c.lines))
		})
	}
}

// checkText checks that each part of the box has a line of text, away from the
// edges.
func checkText(t *testing.T, m *image.RGBA, box image.Rectangle, ground, ink color.RGBA, lines int) {
	t.Helper()
	found := make([]int, lines)
	bar := 0
	for m.RGBAAt(bar, 0) == ink {
		bar++
	}
	for y := range box.Dy() {
		for x := bar; x < box.Dx(); x++ {
			if c := m.RGBAAt(x, y); c == ink {
				found[y*lines/box.Dy()]++
			}
			if c := m.RGBAAt(x, y); c != ground && (x == bar || x >= box.Dx()-2 || y < 2 || y >= box.Dy()-2) {
				t.Fatalf("text at the edge: %d, %d of %v", x, y, box)
			}
		}
	}
	for i, n := range found {
		if n < 8 {
			t.Errorf("line %d has %d dots of ink", i, n)
		}
	}
}

// Images that are too small for any text are still painted.
func TestPaintTinyImages(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {1, 400}, {400, 1}, {20, 20}} {
		m := image.NewRGBA(image.Rectangle{Max: size})
		if err := paint(m, caption, true); err != nil {
			t.Errorf("%v: %v", size, err)
		}
		if m.RGBAAt(0, 0) != rightColor {
			t.Errorf("%v: the bar is missing", size)
		}
	}
}

func TestPaintedName(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"a.png", "a.png"},
		{"n01/a.JPEG", "n01/a.JPEG"},
		{"a.jpg", "a.jpg"},
		{"a.bmp", "a.bmp.png"},
		{"00012", "00012.png"},
		{"../../etc/passwd", "__/__/etc/passwd.png"},
		{"/root/./a//b.PNG", "root/a/b.PNG"},
		{"a/../b.png", "a/__/b.png"},
		{"..", "__.png"},
		{"", ".png"},
	} {
		if got := PaintedName(c.name); got != c.want {
			t.Errorf("PaintedName(%q) is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPainterSave(t *testing.T) {
	dir := t.TempDir()
	p, err := NewPainter(filepath.Join(dir, "new", "show"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	blue := color.RGBA{20, 40, 200, 255}
	for _, c := range []struct {
		name, file, format string
		width, height      int
		want               image.Point
	}{
		{"sub/a.png", "sub/a.png", "png", 400, 300, image.Pt(400, 300)},
		{"sub/b.JPEG", "sub/b.JPEG", "jpeg", 300, 400, image.Pt(300, 400)},
		{"../small", "__/small.png", "png", 28, 20, image.Pt(308, 220)},
		{filepath.Join(dir, "abs.jpg"), filepath.Join(dir, "abs.jpg")[1:], "jpeg", 321, 200, image.Pt(321, 200)},
	} {
		if err := p.Save(c.name, "", plainImage(t, c.width, c.height, blue), caption, true); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, "new", "show", c.file))
		if err != nil {
			t.Fatal(err)
		}
		m, format, err := image.Decode(bytes.NewReader(data))
		if err != nil || format != c.format || m.Bounds().Size() != c.want {
			t.Errorf("%s: %s of %v (%v), want %s of %v", c.name, format, m.Bounds().Size(), err, c.format, c.want)
			continue
		}
		x, y := c.want.X-1, c.want.Y-1
		if got := color.RGBAModel.Convert(m.At(x, y)).(color.RGBA); distance(got, blue) > 12 { // JPEG is lossy
			t.Errorf("%s: the corner is %v, want %v", c.name, got, blue)
		}
		if got := color.RGBAModel.Convert(m.At(1, 1)).(color.RGBA); distance(got, rightColor) > 60 { // close to an edge
			t.Errorf("%s: the bar is %v, want %v", c.name, got, rightColor)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder above holds %v (%v)", entries, err)
	}
}

func distance(a, b color.RGBA) int {
	d := func(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }
	return max(d(a.R, b.R), d(a.G, b.G), d(a.B, b.B))
}

// Each pixel of a small image becomes a square.
func TestEnlarged(t *testing.T) {
	m := &preprocess.Image{Width: 2, Height: 1, Pix: []byte{1, 2, 3, 250, 251, 252}}
	got := enlarged(m)
	if size := got.Bounds().Size(); size != image.Pt(320, 160) {
		t.Fatalf("size %v", size)
	}
	for y := range 160 {
		for x := range 320 {
			want := color.RGBA{1, 2, 3, 255}
			if x >= 160 {
				want = color.RGBA{250, 251, 252, 255}
			}
			if got.RGBAAt(x, y) != want {
				t.Fatalf("pixel %d, %d is %v, want %v", x, y, got.RGBAAt(x, y), want)
			}
		}
	}
}

// A link in the folder can't lead out of it.
func TestPainterStaysInFolder(t *testing.T) {
	dir := t.TempDir()
	show, outside := filepath.Join(dir, "show"), filepath.Join(dir, "outside")
	for _, d := range []string{show, outside} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(show, "link")); err != nil {
		t.Skip(err)
	}
	p, err := NewPainter(show)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Save("link/a.png", "", plainImage(t, 10, 10, color.RGBA{}), caption, true); err == nil || !strings.Contains(err.Error(), `painting image "link/a.png"`) {
		t.Errorf("error %v", err)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("the folder outside holds %v (%v)", entries, err)
	}
}

func TestNewPainterError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, nil)
	if _, err := NewPainter(file); err == nil || !strings.Contains(err.Error(), "opening folder of painted images") {
		t.Errorf("error %v", err)
	}
}

func TestCaption(t *testing.T) {
	r := &Result{Classes: []string{"cat", "dog"}, Scores: []float32{0.126, 0.874, 0.75, 0.25}, Labels: []int{1, 5}}
	for image, want := range [][]string{
		{"pred_score: 0.87", "pred_label: 1", "pred_class: dog", "gt_label: 1", "gt_class: dog"},
		{"pred_score: 0.75", "pred_label: 0", "pred_class: cat", "gt_label: 5"},
	} {
		got, right := r.Caption(image)
		if diff := cmp.Diff(want, got); diff != "" || right != (image == 0) {
			t.Errorf("image %d, right %v (-want +got):\n%s", image, right, diff)
		}
	}
}
