package eval

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/dataset"
)

func TestProfile(t *testing.T) {
	samples := slices.DeleteFunc(files(t), func(s dataset.Sample) bool {
		return slices.Contains([]string{"3.png", "4.png", "6.png", "9.png"}, s.Name)
	})
	var p Profile
	_, err := Predict(t.Context(), &runner{}, filePipeline(t, resize(32, 32)), samples,
		Options{BatchSize: 4, Classes: 2, Workers: 2, Profile: &p})
	if err != nil {
		t.Fatal(err)
	}
	if p.Images != 6 || p.Workers != 2 || p.Read <= 0 || p.Decode <= 0 || p.Transform <= 0 || p.Normalize <= 0 || p.Run <= 0 {
		t.Errorf("%+v", p)
	}
	p = Profile{Images: 4, Workers: 2, Read: 2 * time.Millisecond, Decode: 8 * time.Millisecond, Transform: 4 * time.Millisecond,
		Normalize: time.Millisecond, Wait: 500 * time.Millisecond, Run: 2 * time.Second, Total: 2500 * time.Millisecond}
	want := `input, ms/image (4 images, 2 workers)
  read             0.500
  decode           2.000
  resize, crop     1.000
  normalize        0.250
  total            3.750
network: ran 2.00 s, waited 0.50 s for images
1.6 images/s, bound by the network`
	if diff := cmp.Diff(want, p.String()); diff != "" {
		t.Error(diff)
	}
	p.Wait, p.Run = p.Run, p.Wait
	if got, want := p.String(), "\n1.6 images/s, bound by the input, most of it decode"; !strings.HasSuffix(got, want) {
		t.Errorf("%q does not end in %q", got, want)
	}
}

func TestOpen(t *testing.T) {
	samples := files(t)
	m, err := Open(t.Context(), samples[5])
	if err != nil || m.Width != 25 || m.Height != 30 || m.Pix[0] != 5 {
		t.Errorf("%+v, %v", m, err)
	}
	for i, want := range map[int]string{3: "no such file", 4: "unknown image format", 6: "not a regular file"} {
		if _, err := Open(t.Context(), samples[i]); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), samples[i].Path) {
			t.Errorf("sample %d: error %v, want %q", i, err, want)
		}
	}
	m, err = Open(t.Context(), numbered(3)[2])
	if err != nil || !m.Grey || m.Pix[0] != 2 {
		t.Errorf("%+v, %v", m, err)
	}
}
