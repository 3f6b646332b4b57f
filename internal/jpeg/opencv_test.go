package jpeg

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// sample is a file with what OpenCV makes of it: see testdata/jpeg/corpus.py.
type sample struct {
	Name, Kind    string
	Height, Width int
	SHA256        *string // nil where OpenCV refuses the file
	Uninitialized bool
	data          []byte
}

func (s sample) matches(width, height int, rgb []byte) bool {
	sum := sha256.Sum256(rgb)
	return s.SHA256 != nil && width == s.Width && height == s.Height && hex.EncodeToString(sum[:]) == *s.SHA256
}

// corpus has OpenCV decode some two thousand files. Without Debian's
// python3-opencv and python3-pil the test is skipped, or fails if
// REPVGG_REQUIRE_OPENCV is set.
func corpus(t *testing.T) []sample {
	t.Helper()
	const python = "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import cv2, PIL").CombinedOutput(); err != nil {
		if os.Getenv("REPVGG_REQUIRE_OPENCV") != "" {
			t.Fatalf("%s does not import cv2 and PIL: %v\n%s", python, err, out)
		}
		t.Skipf("skipped: %s does not import cv2 and PIL (Debian: python3-opencv, python3-pil)", python)
	}
	dir := t.TempDir()
	cmd := exec.Command(python, "-B", "../../testdata/jpeg/corpus.py", "../../testdata/preprocess/images", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("corpus.py: %v\n%s", err, out)
	}
	list, err := os.ReadFile(filepath.Join(dir, "corpus.json"))
	if err != nil {
		t.Fatal(err)
	}
	var samples []sample
	if err := json.Unmarshal(list, &samples); err != nil {
		t.Fatal(err)
	}
	for i := range samples {
		if samples[i].data, err = os.ReadFile(filepath.Join(dir, samples[i].Name)); err != nil {
			t.Fatal(err)
		}
	}
	return samples
}

// requireLibrary skips a test that is about libjpeg-turbo where there is none,
// or fails it if REPVGG_REQUIRE_TURBOJPEG is set.
func requireLibrary(t *testing.T) {
	t.Helper()
	name, ok := Library()
	switch {
	case ok:
		t.Log("decoding with", name)
	case os.Getenv("REPVGG_REQUIRE_TURBOJPEG") != "":
		t.Fatal("no libjpeg-turbo:", name)
	default:
		t.Skip("skipped: no libjpeg-turbo:", name)
	}
}

// TestOpenCV compares both decoders with OpenCV.
func TestOpenCV(t *testing.T) {
	samples := corpus(t)
	t.Run("library", func(t *testing.T) {
		requireLibrary(t)
		againstOpenCV(t, samples, Decoder{})
	})
	t.Run("portable", func(t *testing.T) {
		againstOpenCV(t, samples, Decoder{Portable: true})
	})
}

// againstOpenCV holds every file to OpenCV's result with the library, and the
// intact ones without; of those that end early it must then still agree about 19
// of 20.
func againstOpenCV(t *testing.T, samples []sample, d Decoder) {
	same, count := make(map[string]int), make(map[string]int)
	for _, s := range samples {
		width, height, rgb, err := d.Decode(s.data, nil)
		refuse := s.SHA256 == nil || s.Uninitialized
		agree := refuse == (err != nil) && (refuse || s.matches(width, height, rgb))
		count[s.Kind]++
		if agree {
			same[s.Kind]++
		} else if !d.Portable || s.Kind == "intact" {
			t.Errorf("%s: %dx%d, error %v; OpenCV: %dx%d, refused: %v", s.Name, width, height, err, s.Width, s.Height, refuse)
		}
	}
	for _, kind := range []string{"intact", "cut", "damaged"} {
		t.Logf("%s: %d of %d files agree with OpenCV", kind, same[kind], count[kind])
		if kind == "cut" && same[kind] < count[kind]*19/20 {
			t.Error("too few files that end early agree")
		}
		if count[kind] < 300 {
			t.Errorf("there are only %d files that are %s", count[kind], kind)
		}
	}
}
