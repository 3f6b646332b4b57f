//go:build cgo && linux

package gpu

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// emulated is an environment whose driver runs the kernels on the host and whose
// cuDNN refuses everything (testdata/emulator.cpp). Tests on it check how the runner
// uses memory, streams and graphs, and its errors.
func emulated(t *testing.T, p precision) cuda.Environment {
	t.Helper()
	cxx, err := exec.LookPath("g++")
	if err != nil {
		t.Skip("no g++ to compile the emulated driver with")
	}
	dir := t.TempDir()
	compile := func(name string, options ...string) string {
		so := filepath.Join(dir, name)
		args := append([]string{"-std=c++17", "-O2", "-Wno-unknown-pragmas", "-shared", "-fPIC", "-fno-gnu-unique", "-Wl,-Bsymbolic", "-I.", "-Icuda", "-o", so}, options...)
		if out, err := exec.Command(cxx, append(args, filepath.Join("testdata", "emulator.cpp"))...).CombinedOutput(); err != nil {
			t.Fatalf("compiling: %v\n%s", err, out)
		}
		return so
	}
	options := []string{"-DREPVGG_HOST", "-DEMULATE_DRIVER"}
	for _, o := range compileOptions(p, "90") {
		if strings.HasPrefix(o, "-D") {
			options = append(options, o)
		}
	}
	refusing := compile("refusing.so")
	return cuda.Environment{
		Getenv: func(name string) string {
			return map[string]string{"REPVGG_CUDNN_PATH": refusing, "REPVGG_NVRTC_PATH": refusing}[name]
		},
		Root: dir, Driver: compile("driver.so", options...),
	}
}

func TestEmulatedFP16(t *testing.T) {
	env := emulated(t, fp16)
	testMatchesReference(t, env, fp16, [2]int{9, 10}, [2]int{1, 3})
	testGolden(t, env, fp16)
	for name, test := range map[string]func(*testing.T, cuda.Environment){
		"batches": testBatches, "bytes": testBytes, "overflow": testOverflow, "lost": testLost,
		"failing starts": testFailingStarts, "closed": testCancelledAndClosed, "resident": testResident,
	} {
		t.Run(name, func(t *testing.T) { test(t, env) })
	}
	t.Run("choosing", func(t *testing.T) { testChoosing(t, env) })
	t.Run("leaks", func(t *testing.T) { testLeaks(t, env, "feature", 8) })
	t.Run("graphs", func(t *testing.T) { testGraphs(t, env, fp16) })
	t.Run("short memory", func(t *testing.T) {
		t.Setenv("EMULATED_MEMORY", "500000")
		testHalving(t, env)
	})
}

func TestEmulatedBF16(t *testing.T) {
	env := emulated(t, bf16)
	testMatchesReference(t, env, bf16, [2]int{9, 10}, [2]int{1, 3})
	testGolden(t, env, bf16)
	t.Run("start", func(t *testing.T) { testStart(t, env) })
	t.Run("graphs", func(t *testing.T) { testGraphs(t, env, bf16) })
}

func TestEmulatedFP32(t *testing.T) {
	env := emulated(t, fp32)
	t.Run("find libraries", func(t *testing.T) { testFindLibraries(t, env) })
	testMatchesReference(t, env, fp32, [2]int{9, 10}, [2]int{1, 3})
	testGolden(t, env, fp32)
	t.Run("graphs", func(t *testing.T) { testGraphs(t, env, fp32) })
}

// testFindLibraries: the files and versions of the libraries.
func testFindLibraries(t *testing.T, env cuda.Environment) {
	l := cuda.FindLibraries(env)
	for name, c := range map[string]struct {
		got     cuda.Found
		path    string
		version string
	}{
		"driver": {l.Driver, env.Driver, ""}, // the version may be that of a real driver
		"NVRTC":  {l.NVRTC, env.Getenv("REPVGG_NVRTC_PATH"), "13.0"},
		"cuDNN":  {l.CUDNN, env.Getenv("REPVGG_CUDNN_PATH"), "9.1.0"},
	} {
		if c.got.Err != nil || c.got.Path != c.path || c.got.Version == "" || c.version != "" && c.got.Version != c.version {
			t.Errorf("%s: got %+v, want %q, version %q", name, c.got, c.path, c.version)
		}
	}
}

// testChoosing: where cuDNN has no engine our own kernel is timed and taken. The user
// gets a note for each shape, and nothing is kept in the file.
func testChoosing(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	values := testkit.Weights(plan, 1)
	var notes []string
	opts := Options{Precision: engine.FP16, cacheDir: t.TempDir(), Note: func(text string) { notes = append(notes, text) }}
	r := newTestRunner(t, env, plan, values, opts)
	checkAgainst(t, r, testkit.Network{Plan: plan, Values: values}, 2, 8, 8)
	checkAgainst(t, r, testkit.Network{Plan: plan, Values: values}, 1, 8, 8)
	if len(notes) < 2 || !strings.Contains(notes[0], "choosing cuDNN's engines for batches of 2 images of 8x8") {
		t.Fatalf("notes %q", notes)
	}
	for _, n := range notes[1:] {
		if !strings.Contains(n, "there is no better engine than direct: graph: cudnnBackend") || !strings.Contains(n, "legacy: cudnnCreateTensorDescriptor") {
			t.Errorf("note %q", n)
		}
	}
	for key, c := range r.convolver.choices.session {
		if c.Method != methodDirect || c.Microseconds <= 0 {
			t.Errorf("%s: %v", key, c)
		}
	}
	if len(r.convolver.choices.session) != len(notes)-1 || len(r.convolver.choices.Kept) != 0 {
		t.Errorf("%d notes, choices %v", len(notes), r.convolver.choices.Kept)
	}
	again := newTestRunner(t, env, plan, values, opts)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := again.Run(ctx, make([]float32, 140), testkit.Images(2*3*8*8, 1), 2, 8, 8); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// testLost: after the device is lost every call returns that error, and Close returns.
func testLost(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	values := testkit.Weights(plan, 1)
	src, dst := testkit.Images(2*3*8*8, 1), make([]float32, 140)
	seen := false
	for _, launches := range []string{"0", "1", "5", "9", "12", "20"} {
		t.Setenv("EMULATED_LOSS", launches)
		r, err := newRunner(plan, values, Options{Precision: engine.FP16, noTune: true, maxBatch: 1}, env)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			err := r.Run(t.Context(), dst, src, 2, 8, 8)
			if err == nil {
				continue
			}
			seen = true
			if !cuda.IsLost(err) || !strings.Contains(err.Error(), "the GPU was lost") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s launches: got %v", launches, err)
			}
			if again := r.Run(t.Context(), dst, src, 2, 8, 8); !cuda.IsLost(again) {
				t.Errorf("%s launches, again: got %v", launches, again)
			}
		}
		r.Close() // must return
	}
	if !seen {
		t.Error("the device was never lost")
	}
}

// testFailingStarts: wherever a start runs out of memory, it frees everything.
func testFailingStarts(t *testing.T, env cuda.Environment) {
	base, err := cuda.OpenDevice(env, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	plan := testkit.Plans(model.Train)["se"]
	values := testkit.Weights(plan, 1)
	failed, started := 0, 0
	for _, size := range []string{"1000", "16777216", "17825792", "17900000", "17910000", "20000000"} {
		t.Setenv("EMULATED_MEMORY", "1000000000")
		before := memory(t, base)
		t.Setenv("EMULATED_MEMORY", size)
		r, err := newRunner(plan, values, Options{Precision: engine.FP16, noTune: true}, env)
		if err == nil {
			started++
			err = r.Close()
		} else if failed++; !cuda.IsOutOfMemory(err) {
			t.Errorf("%s bytes: got %v", size, err)
		}
		t.Setenv("EMULATED_MEMORY", "1000000000")
		if after := memory(t, base); after != before {
			t.Errorf("%s bytes: %d are not freed after %v", size, before-after, err)
		}
	}
	broken := errors.New("broken file")
	before := memory(t, base)
	if _, err := newRunner(plan, tensor.Func(func(s tensor.Spec) ([]float32, error) {
		if strings.HasSuffix(s.Name, "head.fc.bias") {
			return nil, broken
		}
		return values[s.Name], nil
	}), Options{Precision: engine.FP16}, env); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if after := memory(t, base); after != before {
		t.Errorf("%d bytes are not freed after a broken file", before-after)
	}
	if failed == 0 {
		t.Error("no start failed")
	}
	t.Logf("%d starts failed, %d did not", failed, started)
}

// testHalving: a batch that does not fit is computed in parts.
func testHalving(t *testing.T, env cuda.Environment) {
	plan := testkit.Plan(model.Train, 5, testkit.Block(3, 16, 1, 1, 1, 0), testkit.Block(16, 16, 1, 1, 1, 0))
	values := testkit.Weights(plan, 9)
	var notes []string
	r := newTestRunner(t, env, plan, values, Options{Precision: engine.FP16, noTune: true, Note: func(text string) { notes = append(notes, text) }})
	checkAgainst(t, r, testkit.Network{Plan: plan, Values: values}, 21, 16, 16)
	if len(notes) == 0 || !strings.Contains(notes[0], "the GPU's memory is short") || !strings.Contains(notes[0], "instead of 21") {
		t.Errorf("notes %q", notes)
	}
	t.Log(notes)
}

// testResident: the same slice is not copied again.
func testResident(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	r := newTestRunner(t, env, plan, testkit.Weights(plan, 1), Options{Precision: engine.FP16, noTune: true, Resident: true})
	src, first, again := testkit.Images(2*3*8*8, 1), make([]float32, 140), make([]float32, 140)
	if err := r.Run(t.Context(), first, src, 2, 8, 8); err != nil {
		t.Fatal(err)
	}
	clear(src)
	if err := r.RunQueued(t.Context(), again, src, 2, 8, 8, 3); err != nil {
		t.Fatal(err)
	}
	for i := range first {
		if first[i] != again[i] {
			t.Fatal("the images were copied again")
		}
	}
	if err := r.Run(t.Context(), again[:70], src[:3*8*8], 1, 8, 8); err != nil {
		t.Fatal(err)
	}
	if again[0] == first[0] {
		t.Error("other images were not copied")
	}
}

// TestNewWithoutALibrary: the error is one line, and a failed start can be repeated.
func TestNewWithoutALibrary(t *testing.T) {
	plan := testkit.Plans(model.Deploy)["plain"]
	missing := filepath.Join(t.TempDir(), "missing.so")
	env := cuda.Environment{Root: t.TempDir(), Getenv: func(name string) string { return map[string]string{"REPVGG_CUDNN_PATH": missing}[name] }}
	for range 3 {
		_, err := newRunner(plan, testkit.Weights(plan, 1), Options{}, env)
		if err == nil {
			t.Fatal("it runs without cuDNN")
		}
		if text := err.Error(); !strings.HasPrefix(text, "starting the GPU runner: ") || strings.Contains(text, "\n") {
			t.Errorf("got %q", text)
		}
	}
}
