package preprocess

import "testing"

// The usual size of an ImageNet photograph, and what the usual pipeline keeps.
func benchmarkResize(b *testing.B, backend, interpolation string, p part) {
	r, err := newResizer(backend, interpolation)
	if err != nil {
		b.Fatal(err)
	}
	src, buf := noise(1, 500, 375), new(buffers)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.apply(src, p, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResize(b *testing.B) {
	window := part{341, 256, 58, 16, 282, 240}
	for _, backend := range []struct {
		name  string
		names []string
	}{{"pillow", pillowNames}, {"cv2", cv2Names}} {
		for _, name := range backend.names {
			b.Run(backend.name+"/"+name+"/whole", func(b *testing.B) { benchmarkResize(b, backend.name, name, whole(341, 256)) })
			b.Run(backend.name+"/"+name+"/crop224", func(b *testing.B) { benchmarkResize(b, backend.name, name, window) })
		}
	}
}

func BenchmarkTensor(b *testing.B) {
	n := normalize([]float64{123.675, 116.28, 103.53}, []float64{58.395, 57.12, 57.375}, true, true)
	m := noise(1, 224, 224)
	dst := make([]float32, len(m.Pix))
	for b.Loop() {
		n.tensor(m, dst)
	}
}
