package preprocess

import (
	"fmt"
	"testing"
)

// noise repeats the function of this name in testdata/preprocess/resize_golden.py.
func noise(seed uint64, width, height int) *Image {
	m := &Image{Width: width, Height: height, Pix: make([]byte, 3*width*height)}
	for i := range m.Pix {
		seed += 0x9E3779B97F4A7C15
		z := seed
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		m.Pix[i] = byte((z ^ z>>31) >> 56)
	}
	return m
}

// TestResizeGolden compares every filter of both backends, bit for bit, with
// what Pillow 9.4 and OpenCV 4.6 gave.
func TestResizeGolden(t *testing.T) {
	var cases [][]any
	readJSON(t, "resize_golden.json", &cases)
	failed, count := map[string]int{}, map[string]int{}
	for _, c := range cases {
		var n [5]int
		for i := range n {
			n[i] = int(c[2+i].(float64))
		}
		name := fmt.Sprintf("%s %s", c[0], c[1])
		r, err := newResizer(c[0].(string), c[1].(string))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.apply(noise(uint64(n[0]), n[1], n[2]), whole(n[3], n[4]), new(buffers))
		if err != nil {
			t.Fatal(err)
		}
		count[name]++
		if hash(got)[:16] != c[7] {
			failed[name]++
			t.Errorf("%s, %dx%d to %dx%d: differs", name, n[1], n[2], n[3], n[4])
		}
	}
	if len(count) != len(pillowNames)+len(cv2Names) {
		t.Errorf("%d filters were compared, want %d", len(count), len(pillowNames)+len(cv2Names))
	}
	for name, n := range failed {
		t.Errorf("%s: %d of %d differ", name, n, count[name])
	}
}

func TestResizeRefuses(t *testing.T) {
	r, err := newResizer("pillow", "bilinear")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{0, 5}, {5, 0}, {-1, 5}, {1 << 20, 1 << 20}} {
		if _, err := r.apply(noise(1, 2, 2), whole(size[0], size[1]), new(buffers)); err == nil {
			t.Errorf("resizing to %v gave no error", size)
		}
	}
}
