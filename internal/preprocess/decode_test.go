package preprocess

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

const testdata = "../../testdata/preprocess"

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func hash(m *Image) string {
	sum := sha256.Sum256(m.Pix)
	return hex.EncodeToString(sum[:])
}

// TestDecodeGolden compares small files of many kinds with OpenCV 4.6.
func TestDecodeGolden(t *testing.T) {
	var cases [][5]json.RawMessage
	readJSON(t, "decode_golden.json", &cases)
	if len(cases) < 100 {
		t.Fatalf("there are only %d cases", len(cases))
	}
	for _, c := range cases {
		var (
			name   string
			data   []byte
			height *int
			width  int
			sum    string
		)
		for i, v := range []any{&name, &data, &height, &width, &sum} {
			if err := json.Unmarshal(c[i], v); err != nil {
				t.Fatal(err)
			}
		}
		t.Run(name, func(t *testing.T) {
			m, err := Decode(data)
			switch {
			case height == nil && err == nil:
				t.Errorf("decoded to %dx%d, but OpenCV refuses it", m.Width, m.Height)
			case height == nil:
			case err != nil:
				t.Error(err)
			case m.Width != width || m.Height != *height:
				t.Errorf("decoded to %dx%d, want %dx%d", m.Width, m.Height, width, *height)
			case hash(m) != sum:
				t.Error("pixels differ")
			}
		})
	}
}

// TestJPEGOrientation checks the orientation of files that are named after it.
func TestJPEGOrientation(t *testing.T) {
	for _, want := range []int{3, 5, 6, 8} {
		data, err := os.ReadFile(filepath.Join(testdata, "images", fmt.Sprintf("exif_%d.jpg", want)))
		if err != nil {
			t.Fatal(err)
		}
		if got := jpegOrientation(data); got != want {
			t.Errorf("exif_%d.jpg: orientation %d", want, got)
		}
	}
}

// TestDecodeHuge checks that a header's promise is refused before it costs memory.
func TestDecodeHuge(t *testing.T) {
	ihdr := append([]byte("IHDR"), 0, 0x10, 0, 0, 0, 0x10, 0, 0, 8, 2, 0, 0, 0) // 1 << 20 squared
	png := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), ihdr...)
	png = binary.BigEndian.AppendUint32(png, crc32.ChecksumIEEE(ihdr))
	bmp := append([]byte("BM"), make([]byte, 52)...)
	bmp[10], bmp[14], bmp[20], bmp[24], bmp[26], bmp[28] = 54, 40, 0x10, 0x10, 1, 24
	const limit, short = "over the limit", "ends early"
	for name, c := range map[string]struct{ data, want string }{
		"png":        {string(png), limit},
		"bmp":        {string(bmp), limit},
		"pnm binary": {"P6\n100000 100000\n255\nabc", limit},
		"pnm short":  {"P6\n10000 10000\n255\nabc", short},
		"pnm text":   {"P3\n10000 10000\n255\n1 2 3", short},
		"pnm bits":   {"P4\n16000 16000\nabc", short},
	} {
		if _, err := Decode([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"tiny_7x5.jpg"} {
		data, err := os.ReadFile(filepath.Join(testdata, "images", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	var cases [][]any
	text, err := os.ReadFile(filepath.Join(testdata, "decode_golden.json"))
	if err != nil {
		f.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		data, err := base64.StdEncoding.DecodeString(c[1].(string))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if fm, ok := sniff(data); ok {
			if o := fm.orientation(data); o < 1 || o > 8 {
				t.Errorf("orientation %d", o)
			}
			if w, h := claimedSize(data); w*h > 1<<22 {
				t.Skip("within the limit, but large for a fuzzer")
			}
		}
		m, err := Decode(data)
		if err == nil && len(m.Pix) != 3*m.Width*m.Height {
			t.Errorf("%dx%d pixels in %d bytes", m.Width, m.Height, len(m.Pix))
		}
	})
}

// claimedSize is the size in the header of the formats that the fuzzer can
// make large.
func claimedSize(data []byte) (width, height int) {
	for _, config := range []func(io.Reader) (image.Config, error){png.DecodeConfig, jpeg.DecodeConfig, bmp.DecodeConfig, tiff.DecodeConfig} {
		if c, err := config(bytes.NewReader(data)); err == nil {
			return c.Width, c.Height
		}
	}
	return 0, 0
}

func FuzzEXIF(f *testing.F) {
	f.Add([]byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"))
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\xff\xff\x01\x0f\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, o := range []int{exifOrientation(data), jpegOrientation(data), pngOrientation(data)} {
			if o < 1 || o > 8 {
				t.Errorf("orientation %d", o)
			}
		}
	})
}
