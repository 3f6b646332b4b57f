package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"repvgg/internal/bench"
	"repvgg/internal/gpu"
	"repvgg/internal/tensor"
)

// requireGPU skips the test on a machine without a GPU. It finds out by making a
// runner.
func requireGPU(t *testing.T) {
	t.Helper()
	zeros := func(s tensor.Spec) ([]float32, error) { return make([]float32, s.Numel()), nil }
	plan := loadPlanFor(t, filepath.Join(testdata, "digits", "configs", "repvgg-digits.py"))
	r, err := gpu.New(plan, tensor.Func(zeros), gpu.Options{Note: func(text string) { t.Log(text) }})
	if err != nil && os.Getenv("REPVGG_REQUIRE_GPU") == "" && strings.HasPrefix(err.Error(), "starting the GPU runner") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
}

// TestGPUDigits checks that the printed metrics of the digits are the original's in
// each precision.
func TestGPUDigits(t *testing.T) {
	digits, err := filepath.Abs(filepath.Join(testdata, "digits"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // for the cache of chosen engines
	requireGPU(t)
	t.Chdir(digits) // the config's paths are relative
	deploy := fused(t, "configs/repvgg-digits.py", "train.pth")
	for _, precision := range gpu.Precisions() {
		for cfg, ckpt := range map[string]string{"configs/repvgg-digits.py": "train.pth", "configs/repvgg-digits_deploy.py": deploy} {
			stdout, stderr, status := runCommand(t, "test", cfg, ckpt, "--device", "cuda", "--precision", precision.String(),
				"--metrics", "accuracy", "precision", "recall", "f1_score", "support")
			if status != 0 || stdout != digitsLines {
				t.Errorf("%s, %s: exit status %d, stderr %q, stdout %q, want %q", cfg, precision, status, stderr, stdout, digitsLines)
			}
		}
	}
}

// emulatedGPU compiles the emulated driver of internal/gpu, and returns a function
// that runs a command with it. Such tests check what the command sends to a GPU and
// reads back. They prove nothing about cuDNN.
func emulatedGPU(t *testing.T) func(args ...string) (stdout, stderr string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the emulated driver is for Linux")
	}
	cxx, err := exec.LookPath("g++")
	if err != nil {
		t.Skip("no g++ to compile the emulated driver with")
	}
	libraries, source := t.TempDir(), filepath.Join("..", "..", "internal", "gpu")
	for name, options := range map[string][]string{"libcuda.so.1": {"-DREPVGG_HOST", "-DEMULATE_DRIVER"}, "refusing.so": nil} {
		args := append([]string{"-std=c++17", "-O2", "-Wno-unknown-pragmas", "-shared", "-fPIC", "-fno-gnu-unique", "-Wl,-Bsymbolic", "-I" + source, "-I" + filepath.Join(source, "cuda"),
			"-o", filepath.Join(libraries, name), filepath.Join(source, "testdata", "emulator.cpp")}, options...)
		if out, err := exec.Command(cxx, args...).CombinedOutput(); err != nil {
			t.Fatalf("compiling: %v\n%s", err, out)
		}
	}
	refusing := filepath.Join(libraries, "refusing.so")
	environment := append(os.Environ(), "LD_LIBRARY_PATH="+libraries, "REPVGG_CUDNN_PATH="+refusing, "REPVGG_NVRTC_PATH="+refusing, "XDG_CACHE_HOME="+t.TempDir())
	return func(args ...string) (string, string) {
		cmd := exec.CommandContext(t.Context(), "repvgg", append(args, "--device", "cuda")...)
		cmd.Dir, cmd.Env = filepath.Join(testdata, "digits"), environment
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil && strings.Contains(stderr.String(), "built without cgo") {
			t.Skip(stderr.String())
		} else if err != nil {
			t.Errorf("repvgg %q: %v, stderr %q", args, err, stderr.String())
		}
		return stdout.String(), stderr.String()
	}
}

// TestEmulatedDigits tests both forms with byte input and overlapping batches.
func TestEmulatedDigits(t *testing.T) {
	run := emulatedGPU(t)
	deploy := fused(t, filepath.Join(testdata, "digits", "configs", "repvgg-digits.py"), filepath.Join(testdata, "digits", "train.pth"))
	for cfg, ckpt := range map[string]string{"configs/repvgg-digits.py": "train.pth", "configs/repvgg-digits_deploy.py": deploy} {
		stdout, _ := run("test", cfg, ckpt, "--precision", "fp32", "--metrics", "accuracy", "precision", "recall", "f1_score", "support")
		if stdout != digitsLines {
			t.Errorf("%s: %q, want %q", cfg, stdout, digitsLines)
		}
	}
}

// TestEmulatedBench checks that a GPU row has the time of queued runs and of each
// layer, and that the report names the GPU.
func TestEmulatedBench(t *testing.T) {
	run := emulatedGPU(t)
	stdout, stderr := run("bench", "configs/repvgg-digits.py", "--form", "deploy", "--precision", "fp32", "--batch-size", "2",
		"--input-size", "32", "--runs", "2", "--warmup", "0", "--layers", "--format", "json")
	var r bench.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err, stdout)
	}
	if r.Machine.GPU == nil || *r.Machine.GPU != "emulated" || *r.Machine.CUDNN != "9.1.0" || r.Machine.GPUDriver == nil {
		t.Errorf("machine %+v", r.Machine)
	}
	row := r.Rows[0]
	if row.Device != "cuda" || row.QueuedMSMedian == nil || *row.QueuedMSMedian <= 0 || *row.ImagesPerSecond < 2e3 / *row.LatencyMSMedian || row.PeakShare != nil {
		t.Errorf("row %+v", row)
	}
	if n := len(row.Layers); n < 3 || row.Layers[0].Algorithm != "direct" || row.Layers[n-1].Name != "head" || row.Layers[0].TimeMS <= 0 {
		t.Errorf("layers %+v", row.Layers)
	}
	if !strings.Contains(stderr, "the GPU's peak is not known: measuring the peak in fp32: choosing an engine") {
		t.Errorf("stderr %q", stderr)
	}
}
