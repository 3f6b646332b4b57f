package eval

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"repvgg/internal/dataset"
	"repvgg/internal/engine"
	"repvgg/internal/preprocess"
)

// resize returns a Resize to height x width.
func resize(height, width int) preprocess.Step {
	return preprocess.Resize{Height: height, Width: width, Backend: "cv2", Interpolation: "bilinear"}
}

// shortSide returns a Resize of the short side.
func shortSide(length int) preprocess.Step {
	return preprocess.Resize{Side: "short", Length: length, Backend: "cv2", Interpolation: "bilinear"}
}

func crop(size int) preprocess.Step { return preprocess.CenterCrop{Height: size, Width: size} }

// arrayPipeline is a pipeline for images that are arrays.
func arrayPipeline(t testing.TB, steps ...preprocess.Step) *preprocess.Pipeline {
	t.Helper()
	p, err := preprocess.New(steps)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// filePipeline is a pipeline for image files.
func filePipeline(t testing.TB, steps ...preprocess.Step) *preprocess.Pipeline {
	t.Helper()
	return arrayPipeline(t, append([]preprocess.Step{preprocess.Load{}}, steps...)...)
}

// runner is a network with two classes. The logits are the first value of the image
// and 0. It records its input.
type runner struct {
	images  []float32
	batches []int
	err     error // returned instead of a result
	block   bool  // until the context ends
}

func (r *runner) Capabilities() engine.Capabilities { return engine.Capabilities{} }

func (r *runner) Close() error { return nil }

func (r *runner) Run(ctx context.Context, dst, src []float32, n, h, w int) error {
	if r.block {
		<-ctx.Done()
		return ctx.Err()
	}
	if r.err != nil {
		return r.err
	}
	if len(dst) != 2*n || len(src)%(n*h*w) != 0 {
		return fmt.Errorf("%d logits and %d values for %d images of %d x %d", len(dst), len(src), n, h, w)
	}
	r.images = append(r.images, src...)
	r.batches = append(r.batches, n)
	for i := range n {
		dst[2*i], dst[2*i+1] = src[i*len(src)/n], 0
	}
	return nil
}

// bytesRunner is the same network with byte input, which it normalises with the
// pipeline's table. It computes a batch in wait.
type bytesRunner struct {
	runner
	table     []float32
	reversed  bool
	channels  int
	on        int   // batches in progress
	mostOn    int   // the largest number of batches in progress
	waitError error // returned by wait instead of results
}

func (r *bytesRunner) Capabilities() engine.Capabilities {
	return engine.Capabilities{StartBytes: r.startBytes}
}

func (r *bytesRunner) startBytes(ctx context.Context, dst []float32, src []byte, n, h, w int) (func() error, error) {
	if len(src) != n*h*w*r.channels {
		return nil, fmt.Errorf("%d bytes for %d images of %d x %d", len(src), n, h, w)
	}
	r.on++
	r.mostOn = max(r.mostOn, r.on)
	src = bytes.Clone(src)
	return func() error {
		r.on--
		if r.waitError != nil {
			return r.waitError
		}
		values, area := make([]float32, len(src)), h*w
		for i, v := range src {
			c := i % r.channels
			if r.reversed {
				c = r.channels - 1 - c
			}
			values[(i/r.channels/area*r.channels+c)*area+i/r.channels%area] = r.table[256*c+int(v)]
		}
		return r.Run(ctx, dst, values, n, h, w)
	}, nil
}

// TestBytes checks that byte input and float input give the same results.
func TestBytes(t *testing.T) {
	samples := files(t)
	mean, std := []float64{1, 20, 30}, []float64{2, 3, 4}
	for _, steps := range [][]preprocess.Step{
		{resize(7, 5)},
		{resize(7, 5), preprocess.Normalize{Mean: mean, Std: std, ToRGB: true}},
		{resize(7, 5), preprocess.Normalize{Mean: mean, Std: std}},
	} {
		p := filePipeline(t, steps...)
		for _, size := range []int{1, 3, 32} {
			var floats runner
			raw := bytesRunner{channels: 3}
			raw.table, raw.reversed = p.Table(3)
			opts := Options{BatchSize: size, Classes: 2, SkipBad: true}
			want, err := Predict(t.Context(), &floats, p, samples, opts)
			if err != nil {
				t.Fatal(err)
			}
			progress := 0
			opts.Progress = func(n int) { progress += n }
			got, err := Predict(t.Context(), &raw, p, samples, opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Scores, got.Scores); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(floats.images, raw.images); diff != "" {
				t.Errorf("%+v, batches of %d: %s", steps, size, diff)
			}
			if !slices.Equal(got.Samples, want.Samples) || len(got.Bad) != len(want.Bad) || progress != len(samples) {
				t.Errorf("samples %v, %d bad, progress %d", got.Samples, len(got.Bad), progress)
			}
			// A batch without any good image does not run.
			if most := min(2, (len(samples)+size-1)/size); raw.mostOn != most || raw.on != 0 {
				t.Errorf("batches of %d: up to %d were on their way, want %d; %d are left", size, raw.mostOn, most, raw.on)
			}
		}
	}
	p := arrayPipeline(t)
	lost := bytesRunner{channels: 1, waitError: errors.New("lost")}
	if _, err := Predict(t.Context(), &lost, p, numbered(9), Options{BatchSize: 2, Classes: 2}); !errors.Is(err, lost.waitError) {
		t.Errorf("got %v", err)
	}
	grey := bytesRunner{channels: 1}
	if grey.table, grey.reversed = p.Table(1); grey.reversed || len(grey.table) != 256 {
		t.Errorf("%d values, reversed %v", len(grey.table), grey.reversed)
	}
	if _, err := Predict(t.Context(), &grey, p, numbered(9), Options{BatchSize: 2, Classes: 2}); err != nil || grey.images[8] != 8 {
		t.Error(err, grey.images)
	}
}

// numbered returns n samples of one grey pixel. The value is the sample's index
// modulo 256.
func numbered(n int) []dataset.Sample {
	samples := make([]dataset.Sample, n)
	for i := range samples {
		samples[i].Array = &dataset.Array{Height: 1, Width: 1, Channels: 1, Pix: []byte{byte(i)}}
	}
	return samples
}

// TestOrder checks the order of the results for many batch sizes.
func TestOrder(t *testing.T) {
	p := arrayPipeline(t)
	for _, n := range []int{1, 2, 7, 101} {
		for _, size := range []int{1, 2, 7, 50, 200} {
			for _, workers := range []int{0, 1, 3, 16} {
				var r runner
				progress := 0
				got, err := Predict(t.Context(), &r, p, numbered(n), Options{BatchSize: size, Classes: 2, Workers: workers,
					Progress: func(n int) { progress += n }})
				if err != nil {
					t.Fatal(err)
				}
				if len(got.Scores) != 2*n || len(got.Samples) != n || progress != n || len(got.Bad) != 0 {
					t.Fatalf("%d scores, %d samples, progress %d of %d", len(got.Scores), len(got.Samples), progress, n)
				}
				for i := range n {
					if r.images[i] != float32(i) || got.Samples[i] != i {
						t.Fatalf("%d in batches of %d: image %d is %g", n, size, i, r.images[i])
					}
					want := 1 / (1 + math.Exp(-float64(i)))
					if s := got.Scores[2*i]; math.Abs(float64(s)-want) > 1e-6 {
						t.Fatalf("score %g of image %d, want %g", s, i, want)
					}
				}
				for i, b := range r.batches {
					if want := min(size, n-i*size); b != want {
						t.Fatalf("batch %d has %d images, want %d", i, b, want)
					}
				}
			}
		}
	}
	got, err := Predict(t.Context(), &runner{}, p, nil, Options{BatchSize: 1, Classes: 2})
	if err != nil || len(got.Scores) != 0 {
		t.Errorf("no samples: %+v, %v", got, err)
	}
}

// picture writes a PNG file with a single colour.
func picture(t *testing.T, path string, width, height int, grey byte) {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = grey
	}
	m.SetGray(0, 0, color.Gray{grey})
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files returns ten samples. Number 0 is large, 3 is missing, 4 is a text file, 6
// is a folder, 9 is empty.
func files(t *testing.T) []dataset.Sample {
	t.Helper()
	root := t.TempDir()
	samples := make([]dataset.Sample, 10)
	for i := range samples {
		name := fmt.Sprintf("%d.png", i)
		samples[i] = dataset.Sample{Name: name, Path: filepath.Join(root, name)}
		var err error
		switch i {
		case 3:
		case 4:
			err = os.WriteFile(samples[i].Path, []byte("text"), 0o600)
		case 6:
			err = os.Mkdir(samples[i].Path, 0o700)
		case 9:
			err = os.WriteFile(samples[i].Path, nil, 0o600)
		case 0:
			picture(t, samples[i].Path, 400, 400, 0)
		default:
			picture(t, samples[i].Path, 20+i, 30, byte(i))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return samples
}

func TestSkipBad(t *testing.T) {
	samples := files(t)
	for _, step := range []preprocess.Step{
		resize(8, 8),
		// Only the first good image shows the size.
		crop(8),
	} {
		for _, size := range []int{1, 3, 4, 32} {
			for _, first := range []int{0, 3} { // a good image first, a bad one first
				var r runner
				progress := 0
				got, err := Predict(t.Context(), &r, filePipeline(t, step), samples[first:],
					Options{BatchSize: size, Classes: 2, SkipBad: true, Progress: func(n int) { progress += n }})
				if err != nil {
					t.Fatal(err)
				}
				var want []int
				var wantBad []string
				for i := first; i < 10; i++ {
					switch i {
					case 3:
						wantBad = append(wantBad, "reading image: open "+samples[3].Path)
					case 4:
						wantBad = append(wantBad, fmt.Sprintf("reading image %q: unknown image format", samples[4].Path))
					case 6:
						wantBad = append(wantBad, "reading image: open "+samples[6].Path+": it is not a regular file")
					case 9:
						wantBad = append(wantBad, fmt.Sprintf("reading image %q: the file is empty", samples[9].Path))
					default:
						want = append(want, i-first)
					}
				}
				if diff := cmp.Diff(want, got.Samples); diff != "" {
					t.Error(diff)
				}
				if len(got.Scores) != 2*len(want) || progress != 10-first || len(got.Bad) != len(wantBad) {
					t.Fatalf("%d scores, progress %d, %d bad", len(got.Scores), progress, len(got.Bad))
				}
				for k, i := range want {
					if v := r.images[k*3*64]; v != float32(i+first) {
						t.Errorf("row %d is of image %g, want %d", k, v, i+first)
					}
				}
				for k, b := range got.Bad {
					if !strings.HasPrefix(b.Err.Error(), wantBad[k]) || samples[first+b.Sample].Path == "" || !strings.Contains(wantBad[k], samples[first+b.Sample].Path) {
						t.Errorf("sample %d is bad: %v, want %s", b.Sample, b.Err, wantBad[k])
					}
				}
			}
		}
		_, err := Predict(t.Context(), &runner{}, filePipeline(t, step), samples[3:5], Options{BatchSize: 1, Classes: 2, SkipBad: true})
		if err == nil || !strings.Contains(err.Error(), "none of the 2 images can be used; the first: reading image: open") {
			t.Errorf("all images bad: %v", err)
		}
	}
}

// TestFirstError checks that the error is that of the first bad sample, even if a
// later one fails earlier.
func TestFirstError(t *testing.T) {
	samples := files(t)
	p := filePipeline(t, resize(8, 8))
	for _, size := range []int{1, 2, 5, 16} {
		for range 10 {
			_, err := Predict(t.Context(), &runner{}, p, samples, Options{BatchSize: size, Classes: 2, Workers: 8})
			if err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), samples[3].Path) {
				t.Fatalf("batches of %d: %v, want an error about %s", size, err, samples[3].Path)
			}
		}
	}
	// An image of another size is an error, even when bad images are skipped.
	cropped := filePipeline(t, crop(28))
	for _, skip := range []bool{false, true} {
		_, err := Predict(t.Context(), &runner{}, cropped, samples[:3], Options{BatchSize: 8, Classes: 2, SkipBad: skip})
		want := fmt.Sprintf("image %q is 28 x 21 (height x width) after the pipeline, but those before it are 28 x 28", samples[1].Path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	// An image that the transforms refuse counts as bad.
	wide := filePipeline(t, shortSide(100000), crop(8))
	_, err := Predict(t.Context(), &runner{}, wide, samples[:3], Options{BatchSize: 8, Classes: 2})
	if err == nil || !strings.Contains(err.Error(), "transforming image") || !strings.Contains(err.Error(), samples[0].Path) {
		t.Errorf("error %v", err)
	}
}

func TestRunnerError(t *testing.T) {
	want := errors.New("out of memory")
	for _, size := range []int{1, 10} {
		if _, err := Predict(t.Context(), &runner{err: want}, arrayPipeline(t), numbered(500), Options{BatchSize: size, Classes: 2}); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
}

// TestCancel cancels a run: all goroutines must end.
func TestCancel(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, blocked := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		var once sync.Once
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err := Predict(ctx, &runner{block: blocked}, arrayPipeline(t), numbered(50_000),
			Options{BatchSize: 1, Classes: 2, Workers: 4, Progress: func(int) { once.Do(cancel) }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("blocked %v: error %v", blocked, err)
		}
	}
	// Predict waits for its goroutines. The timer's may still be running.
	for range 100 {
		if runtime.NumGoroutine() <= before+1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// TestBounded checks how many batches the workers fill if nothing takes them.
func TestBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var stopped sync.WaitGroup
	defer stopped.Wait()
	defer cancel()
	for _, c := range []struct{ size, workers, batches int }{{1, 4, 10}, {3, 4, 5}, {32, 4, 3}, {1000, 4, 1}} {
		s := &stream{pipeline: arrayPipeline(t), samples: numbered(1000), channels: 1, height: 1, width: 1,
			opts: Options{BatchSize: c.size, Workers: c.workers}}
		g, ctx := errgroup.WithContext(ctx)
		s.start(ctx, g)
		stopped.Go(func() { _ = g.Wait() })
		// Everything that was handed out gets done, and no more is handed out.
		for len(s.order) < c.batches || len(s.free) > 0 {
			runtime.Gosched()
		}
		if len(s.order) != c.batches || cap(s.free) != c.batches {
			t.Errorf("batches of %d: %d are in use, want %d", c.size, len(s.order), c.batches)
		}
		for range c.batches {
			b := <-s.order
			<-b.done
			for i := range b.n {
				if b.images[i] != float32(byte(b.first+i)) {
					t.Errorf("image %d is %g", b.first+i, b.images[i])
				}
			}
		}
	}
}

func TestCheck(t *testing.T) {
	arrays, files := numbered(1), []dataset.Sample{{Path: "a.png"}}
	norm := preprocess.Normalize{Mean: []float64{1, 2, 3}, Std: []float64{1, 1, 1}, ToRGB: true}
	for _, c := range []struct {
		p       *preprocess.Pipeline
		samples []dataset.Sample
		want    string
	}{
		{filePipeline(t), arrays, "its pipeline must not have the step LoadImageFromFile"},
		{arrayPipeline(t), files, "its pipeline must begin with the step LoadImageFromFile"},
		{arrayPipeline(t, norm), arrays, "Normalize has mean and std of 3 channels, but the images have 1"},
		{filePipeline(t, norm), files, ""},
		{arrayPipeline(t), arrays, ""},
		{arrayPipeline(t), nil, ""},
	} {
		err := Check(c.p, c.samples)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", c.p, err, c.want)
		}
		if c.want != "" {
			if _, err := Predict(t.Context(), &runner{}, c.p, c.samples, Options{BatchSize: 1, Classes: 2}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: Predict gives %v", c.p, err)
			}
		}
	}
}
