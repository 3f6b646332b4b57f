package matrix

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"repvgg/internal/figure/canvas"
)

// guesses returns a matrix of images of the first used classes. right is the share
// of right predictions.
func guesses(images, classes, used int, right float64, seed uint64) *Matrix {
	rng := rand.New(rand.NewPCG(seed, 2))
	m := &Matrix{Support: make([]int64, classes), Rows: make([][]Cell, classes)}
	for c := range classes {
		m.Classes = append(m.Classes, fmt.Sprintf("class %d, \"%c\"", c, 'a'+rune(c%26)))
	}
	for range images {
		truth, predicted := rng.IntN(used), rng.IntN(classes)
		if rng.Float64() < right {
			predicted = truth
		}
		m.Support[truth]++
		at, found := slices.BinarySearchFunc(m.Rows[truth], predicted, func(c Cell, p int) int { return c.Predicted - p })
		if !found {
			m.Rows[truth] = slices.Insert(m.Rows[truth], at, Cell{Predicted: predicted})
		}
		m.Rows[truth][at].Count++
	}
	return m
}

func layout(t *testing.T, m *Matrix) *picture {
	t.Helper()
	p, err := newPicture(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func drawPNG(t *testing.T, m *Matrix) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := m.WritePNG(&b); err != nil {
		t.Fatal(err)
	}
	drawn, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return drawn
}

// counts returns the counts by true and predicted cell.
func counts(p *picture) [][]int64 {
	all := make([][]int64, p.cells)
	for i := range all {
		all[i] = make([]int64, p.cells)
	}
	for truth, row := range p.Rows {
		for _, c := range row {
			all[truth/p.bin][c.Predicted/p.bin] += c.Count
		}
	}
	return all
}

// luma returns the brightness of a colour, from 0 to bright.
func luma(c color.Color) int {
	r, g, b, _ := c.RGBA()
	return int(299*(r>>8) + 587*(g>>8) + 114*(b>>8))
}

const bright = 255000

// TestPictureCells checks each cell's colour in the PNG: white for a count of 0,
// and darker for a larger share of the row.
func TestPictureCells(t *testing.T) {
	for _, c := range []struct {
		name          string
		m             *Matrix
		counted, bins bool
	}{
		{"one class", guesses(5, 1, 1, 1, 1), true, false},
		{"counts", guesses(300, 10, 9, 0.8, 2), true, false},
		{"names", guesses(400, 80, 80, 0.6, 3), false, false},
		{"heat map", guesses(300, 300, 200, 0.5, 4), false, false},
		{"shared cells", guesses(40, mostCells+5, 900, 0.5, 5), false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := layout(t, c.m)
			if p.countSize > 0 != c.counted || p.bin > 1 != c.bins {
				t.Errorf("size of counts %v, %d classes a cell", p.countSize, p.bin)
			}
			m := drawPNG(t, c.m)
			if want := image.Pt(p.width*canvas.RasterScale, p.height*canvas.RasterScale); m.Bounds().Size() != want {
				t.Errorf("size %v, want %v", m.Bounds().Size(), want)
			}
			checkCells(t, p, m)
		})
	}
}

func checkCells(t *testing.T, p *picture, m image.Image) {
	t.Helper()
	// Not the middle, where there may be a count, nor the edge, where there may be a
	// line.
	at := func(from float64, i int) int {
		return int((from + (float64(i)+0.15)*p.cell + 0.3) * canvas.RasterScale)
	}
	bad := 0
	for truth, row := range counts(p) {
		full := slices.Max(row)
		for predicted, n := range row {
			x, y := at(p.left, predicted), at(p.top, truth)
			got := luma(m.At(x, y))
			darkest := luma(m.At(at(p.left, slices.Index(row, full)), y))
			if n == 0 && got != bright || n > 0 && got >= 0.99*bright || got < darkest || n > 0 && n < full && got == darkest {
				bad++
				t.Logf("cell %d, %d: count %d of at most %d has luma %v, darkest %v", truth, predicted, n, full, got, darkest)
			}
			if bad > 5 {
				t.Fatal("too many bad cells")
			}
		}
	}
	if bad > 0 {
		t.Errorf("%d bad cells", bad)
	}
}

// TestPictureMargin checks that there is no ink at the edge, where a text would be
// cut off.
func TestPictureMargin(t *testing.T) {
	for _, classes := range []int{1, 2, 3, 10, 37, 90, 130, 999} {
		for _, name := range []string{"x", "a very long name, with its synonyms, of which nobody can say where they end"} {
			r := guesses(classes, classes, classes, 0.9, 1)
			for i := range r.Classes {
				r.Classes[i] = name
			}
			m, err := r.raster()
			if err != nil {
				t.Fatal(err)
			}
			b := m.Bounds()
			inner := b.Inset(10)
			for y := b.Min.Y; y < b.Max.Y; y++ {
				for x := b.Min.X; x < b.Max.X; x++ {
					if x == inner.Min.X && y >= inner.Min.Y && y < inner.Max.Y {
						x = inner.Max.X
					}
					if luma(m.At(x, y)) < bright {
						t.Fatalf("%d classes, name %q: ink at %d, %d of %v", classes, name, x, y, b.Max)
					}
				}
			}
		}
	}
}

// svgElements returns the texts and the embedded pictures of an SVG.
func svgElements(t *testing.T, data []byte) (texts []string, pictures []image.Image) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	inText := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts, pictures
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			inText = e.Name.Local == "text"
			if e.Name.Local == "image" {
				pictures = append(pictures, embedded(t, e))
			}
		case xml.CharData:
			if inText {
				texts = append(texts, string(e))
			}
		case xml.EndElement:
			inText = false
		}
	}
}

func embedded(t *testing.T, e xml.StartElement) image.Image {
	t.Helper()
	for _, a := range e.Attr {
		if data, ok := strings.CutPrefix(a.Value, "data:image/png;base64,"); ok {
			m, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatal("an image without data")
	return nil
}

func drawSVG(t *testing.T, m *Matrix) []byte {
	t.Helper()
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	if err := m.WriteSVG(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSVGCounts(t *testing.T) {
	r := guesses(300, 10, 10, 0.8, 2)
	r.Classes[3] = "<a & \"b\">\x00"
	p := layout(t, r)
	texts, pictures := svgElements(t, drawSVG(t, p.Matrix))
	var want []string
	for _, row := range counts(p) {
		for _, n := range row {
			if n > 0 {
				want = append(want, strconv.FormatInt(n, 10))
			}
		}
	}
	const titles = 2
	if got := texts[titles : titles+len(want)]; !slices.Equal(got, want) {
		t.Errorf("counts %v, want %v", got, want)
	}
	right := int64(0)
	for label, row := range counts(p) {
		right += row[label]
	}
	for _, s := range []string{
		"Confusion matrix", fmt.Sprintf("300 images, 10 classes, accuracy %.2f %%", float64(right)/3), "predicted class", "true class", "% of the true class", "100",
	} {
		if !slices.Contains(texts, s) {
			t.Errorf("the text %q is missing", s)
		}
	}
	for i, name := range r.Classes {
		if i == 3 {
			name = "<a & \"b\"> "
		}
		if n := len(slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return s != name })); n != 2 {
			t.Errorf("the name %q is there %d times, want 2", name, n)
		}
	}
	if n := bytes.Count(drawSVG(t, r), []byte(`transform="rotate(-90 `)); n != 2+len(r.Classes) {
		t.Errorf("%d texts run upwards, want both titles and each class below", n)
	}
	if len(pictures) != 1 { // the colour bar
		t.Errorf("%d pictures", len(pictures))
	}
}

func TestSVGHeatMap(t *testing.T) {
	p := layout(t, guesses(600, 200, 200, 0.5, 3))
	_, pictures := svgElements(t, drawSVG(t, p.Matrix))
	if len(pictures) != 2 {
		t.Fatalf("%d pictures, want the map and the colour bar", len(pictures))
	}
	if size := pictures[0].Bounds().Size(); size != image.Pt(200, 200) {
		t.Fatalf("the map's size is %v", size)
	}
	for truth, row := range counts(p) {
		for predicted, n := range row {
			if dark := luma(pictures[0].At(predicted, truth)) < 0.9*bright; dark != (n > 0) {
				t.Fatalf("cell %d, %d of count %d: dark is %v", truth, predicted, n, dark)
			}
		}
	}
}

func TestNiceStep(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want int
	}{{0, 1}, {1, 1}, {1.1, 2}, {3, 5}, {5.5, 10}, {66.7, 100}, {180, 200}, {1450, 2000}} {
		if got := niceStep(c.v); got != c.want {
			t.Errorf("niceStep(%v) is %d, want %d", c.v, got, c.want)
		}
	}
}
