package jpeg

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const testdata = "../../testdata/preprocess"

// golden reads the JPEG files of testdata/preprocess with the expectation of
// mmcv: decoded by OpenCV 4.6, with the EXIF orientation carried out.
func golden(t testing.TB) map[string]sample {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]struct {
		Decoded struct {
			Shape  [2]int
			SHA256 string
		}
	}
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	samples := make(map[string]sample)
	for name, e := range expected {
		if filepath.Ext(name) != ".jpg" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(testdata, "images", name))
		if err != nil {
			t.Fatal(err)
		}
		samples[name] = sample{Name: name, Height: e.Decoded.Shape[0], Width: e.Decoded.Shape[1], SHA256: &e.Decoded.SHA256, data: data}
	}
	if len(samples) < 18 {
		t.Fatalf("there are only %d files", len(samples))
	}
	return samples
}

func oriented(name string) bool { return strings.HasPrefix(name, "exif_") }

// TestGolden compares both decoders with what mmcv gave.
func TestGolden(t *testing.T) {
	compare := func(t *testing.T, d Decoder) {
		for name, s := range golden(t) {
			width, height, rgb, err := d.Decode(s.data, nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if !oriented(name) && !s.matches(width, height, rgb) {
				t.Errorf("%s: pixels differ", name)
			}
		}
	}
	t.Run("library", func(t *testing.T) {
		requireLibrary(t)
		compare(t, Decoder{})
	})
	t.Run("portable", func(t *testing.T) { compare(t, Decoder{Portable: true}) })
}

// TestPortable compares the decoders with each other, sample by sample.
func TestPortable(t *testing.T) {
	requireLibrary(t)
	largest, different, count := 0, 0, 0
	for name, s := range golden(t) {
		_, _, want, err := Decoder{}.Decode(s.data, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, got, err := Decoder{Portable: true}.Decode(s.data, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d bytes, want %d", name, len(got), len(want))
		}
		for i, v := range want {
			if d := int(v) - int(got[i]); d != 0 {
				different++
				largest = max(largest, d, -d)
			}
		}
		count += len(want)
	}
	t.Logf("without the library: largest difference %d, %d of %d samples differ", largest, different, count)
	if largest > 0 {
		t.Errorf("a sample differs by %d", largest)
	}
}

// decoders are the two that every test can run; without libjpeg-turbo they are
// the same.
func decoders(maxPixels int) map[string]Decoder {
	return map[string]Decoder{
		"default":  {MaxPixels: maxPixels},
		"portable": {MaxPixels: maxPixels, Portable: true},
	}
}

func TestLimit(t *testing.T) {
	data := golden(t)["tiny_7x5.jpg"].data
	huge := bytes.Clone(data)
	at := bytes.Index(data, []byte{0xff, markerSOF0})
	copy(huge[at+5:], []byte{0xff, 0, 0xff, 0})
	for name, d := range decoders(35) {
		width, height, rgb, err := d.Decode(data, nil)
		if err != nil || width != 7 || height != 5 || len(rgb) != 105 {
			t.Errorf("%s: %dx%d with %d bytes, error %v", name, width, height, len(rgb), err)
		}
	}
	for name, d := range decoders(34) {
		if _, _, _, err := d.Decode(data, nil); err == nil || !strings.Contains(err.Error(), "over the limit of 34 pixels") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for name, d := range decoders(0) {
		if _, _, _, err := d.Decode(huge, nil); err == nil || !strings.Contains(err.Error(), "65280 x 65280") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestNotDecodable(t *testing.T) {
	whole := golden(t)
	progressive := whole["progressive_420.jpg"].data
	scans := bytes.Index(progressive, []byte{0xff, markerSOS})
	bomb := bytes.Clone(progressive[:scans])
	next := scans + bytes.Index(progressive[scans:], []byte{0xff, markerDHT})
	for range maxScans + 1 {
		bomb = append(bomb, progressive[scans:next]...)
	}
	bomb = append(bomb, 0xff, markerEOI)
	for what, data := range map[string][]byte{
		"empty":            nil,
		"not JPEG":         []byte("GIF89a"),
		"start only":       {0xff, markerSOI},
		"header cut":       whole["rgb_420.jpg"].data[:200],
		"no row":           whole["rgb_420.jpg"].data[:700],
		"progressive cut":  progressive[:len(progressive)-100],
		"too many scans":   bomb,
		"tables, no image": {0xff, markerSOI, 0xff, markerEOI},
	} {
		for name, d := range decoders(0) {
			if width, height, _, err := d.Decode(data, nil); err == nil {
				t.Errorf("%s, %s: decoded to %dx%d", what, name, width, height)
			} else {
				t.Logf("%s, %s: %v", what, name, err)
			}
		}
	}
}

// TestReuse checks that the memory passed in is used, whatever it held.
func TestReuse(t *testing.T) {
	whole := golden(t)["rgb_420.jpg"]
	for _, data := range [][]byte{whole.data, whole.data[:20000]} {
		for name, d := range decoders(0) {
			_, _, want, err := d.Decode(data, nil)
			if err != nil {
				t.Fatal(err)
			}
			dst := bytes.Repeat([]byte{0xaa}, len(want)+100)
			_, _, got, err := d.Decode(data, dst[:5])
			if err != nil {
				t.Fatal(err)
			}
			if &got[0] != &dst[0] || !bytes.Equal(got, want) {
				t.Errorf("%s: the image is not in the memory given, or differs", name)
			}
			if !bytes.Equal(dst[len(want):], bytes.Repeat([]byte{0xaa}, 100)) {
				t.Errorf("%s: memory behind the image was written", name)
			}
			if _, _, got, err = d.Decode(data, make([]byte, 3)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: with too little memory: error %v", name, err)
			}
		}
	}
}

// TestConcurrent shares a Decoder between goroutines that decode good and bad
// files.
func TestConcurrent(t *testing.T) {
	files := golden(t)
	bad := files["rgb_444.jpg"]
	bad.data, bad.SHA256 = bad.data[:300], nil
	files["exif_cut.jpg"] = bad
	for name, d := range decoders(0) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				var dst []byte
				for _, s := range files {
					width, height, rgb, err := d.Decode(s.data, dst)
					if (err != nil) != (s.SHA256 == nil) || err == nil && !oriented(s.Name) && !s.matches(width, height, rgb) {
						t.Errorf("%s: %s differs or has error %v", name, s.Name, err)
					}
					dst = rgb
				}
			})
		}
		wg.Wait()
	}
}

// FuzzDecode feeds both decoders with anything. Where both give an image, they
// agree about its size.
func FuzzDecode(f *testing.F) {
	for name, s := range golden(f) {
		if len(s.data) < 12000 || name == "cmyk.jpg" {
			f.Add(s.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var sizes [][2]int
		for name, d := range decoders(1 << 17) {
			width, height, rgb, err := d.Decode(data, nil)
			if err != nil {
				continue
			}
			if len(rgb) != 3*width*height || width*height > 1<<17 {
				t.Errorf("%s: %d bytes for %dx%d pixels", name, len(rgb), width, height)
			}
			sizes = append(sizes, [2]int{width, height})
		}
		if len(sizes) == 2 && sizes[0] != sizes[1] {
			t.Errorf("sizes %v", sizes)
		}
	})
}
