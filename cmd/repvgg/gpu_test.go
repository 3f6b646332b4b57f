package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"repvgg/internal/bench"
	"repvgg/internal/engine"
	"repvgg/internal/gpu"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// gpuTolerances are how far the logits of the golden networks may lie from the
// original's, in terms of the largest of them (docs/numerics.md).
var gpuTolerances = map[engine.Precision]float64{engine.FP32: 2e-5, engine.TF32: 1.5e-2, engine.FP16: 5e-3, engine.BF16: 4e-2}

// gpuAbsolute is what fp32 must keep besides.
const gpuAbsolute = 1e-4

// newGPU makes a runner, or skips the test where there is no GPU.
func newGPU(t *testing.T, p *model.Plan, weights tensor.Source, opts gpu.Options) *gpu.Runner {
	t.Helper()
	opts.Note = func(text string) { t.Log(text) }
	r, err := gpu.New(p, weights, opts)
	if err != nil && os.Getenv("REPVGG_REQUIRE_GPU") == "" && strings.HasPrefix(err.Error(), "starting the GPU runner") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// requireGPU skips a test where there is none, by making a runner.
func requireGPU(t *testing.T) {
	t.Helper()
	zeros := func(s tensor.Spec) ([]float32, error) { return make([]float32, s.Numel()), nil }
	newGPU(t, loadPlanFor(t, filepath.Join(testdata, "digits", "configs", "repvgg-digits.py")), tensor.Func(zeros), gpu.Options{NoCache: true})
}

// TestGPUGolden runs both forms of the five architectures on the original's
// input, in each precision.
func TestGPUGolden(t *testing.T) {
	requireGPU(t)
	for _, name := range []string{"plain", "groups", "se", "dilated", "eps"} {
		for _, form := range []model.Form{model.Train, model.Deploy} {
			for _, precision := range []engine.Precision{engine.FP32, engine.TF32, engine.FP16, engine.BF16} {
				t.Run(fmt.Sprintf("%s/%v/%v", name, form, precision), func(t *testing.T) {
					t.Parallel() // most of the time is the compilation of engines
					checkGolden(t, name, form, precision)
				})
			}
		}
	}
}

func checkGolden(t *testing.T, name string, form model.Form, precision engine.Precision) {
	dir := filepath.Join(testdata, "fuse", name)
	cfg, path := filepath.Join(dir, form.String()+"_cfg.py"), filepath.Join(dir, "train.pth")
	plan := loadPlanFor(t, cfg)
	if form == model.Deploy {
		path = fused(t, filepath.Join(dir, "train_cfg.py"), path)
	}
	r := newGPU(t, plan, openWeights(t, plan, path), gpu.Options{Precision: precision, NoTune: true, NoCache: true, CheckLayers: precision == engine.FP16})
	x, shape := readNPY(t, filepath.Join(dir, "input.npy"))
	want, _ := readNPY(t, filepath.Join(dir, "logits.npy"))
	got := make([]float32, len(want))
	if err := r.Run(t.Context(), got, x, shape[0], shape[2], shape[3]); err != nil {
		t.Fatal(err)
	}
	worst, largest := farthest(got, want)
	t.Logf("largest difference %.2g of %.3g", worst, largest)
	if !(worst <= gpuTolerances[precision]*largest) || precision == engine.FP32 && !(worst <= gpuAbsolute) {
		t.Errorf("logits differ by %g, more than %g of %g", worst, gpuTolerances[precision], largest)
	}
}

// TestGPUDigits: the metrics of the digits are printed as the original prints
// them, in each precision.
func TestGPUDigits(t *testing.T) {
	digits, err := filepath.Abs(filepath.Join(testdata, "digits"))
	if err != nil {
		t.Fatal(err)
	}
	requireGPU(t)
	t.Chdir(digits)                         // the config's paths are relative
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // where the choice of engines goes
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

// emulatedGPU compiles the emulated driver of internal/gpu and gives a function
// that runs the command on it: for what goes to a GPU and comes from it. It says
// nothing of cuDNN, nor of a GPU.
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
		args := append([]string{"-std=c++17", "-O2", "-Wno-unknown-pragmas", "-shared", "-fPIC", "-fno-gnu-unique", "-Wl,-Bsymbolic", "-I" + source,
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

// TestEmulatedDigits: bytes, batches on their way, both forms.
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

// TestEmulatedBench: a row of a GPU has what runs in a queue take, its layers,
// and the machine's GPU.
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
