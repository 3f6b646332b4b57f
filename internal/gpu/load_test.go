//go:build cgo && unix

package gpu

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repvgg/internal/model"
	"repvgg/internal/testkit"
)

// sharedLibrary compiles a library that has the functions named and no other.
func sharedLibrary(t *testing.T, name string, functions ...string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler to make a library with")
	}
	dir := t.TempDir()
	var source strings.Builder
	for _, f := range functions {
		source.WriteString("int " + f + "(void) { return 1; }\n")
	}
	c, so := filepath.Join(dir, "library.c"), filepath.Join(dir, name)
	if err := os.WriteFile(c, []byte(source.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", so, c).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return so
}

// TestLoadingCUDNN: what is not there, not a library, or not cuDNN 9.
func TestLoadingCUDNN(t *testing.T) {
	text := filepath.Join(t.TempDir(), "libcudnn.so.9")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, want string }{
		{filepath.Join(t.TempDir(), "missing.so"), "no such file"},
		{text, "libcudnn.so.9"},
		{filepath.Dir(text), "libcudnn.so.9"},
		{sharedLibrary(t, "empty.so"), "it has no function cudnnGetVersion"},
		{sharedLibrary(t, "old.so", "cudnnGetVersion", "cudnnGetErrorString"), "it has no function cudnnGetLastErrorString"},
	} {
		env := environmentOf(t.TempDir(), map[string]string{cudnnVariable: c.file})
		_, err := openCUDNN(env)
		if err == nil {
			t.Errorf("opened %q", c.file)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "cuDNN 9 was not found") || !strings.Contains(text, c.want) ||
			!strings.Contains(text, "pip install nvidia-cudnn-cu13") || strings.Contains(text, "\n") {
			t.Errorf("error %q, want one with %q", text, c.want)
		}
	}
}

func TestLoadingNVRTC(t *testing.T) {
	env := environmentOf(t.TempDir(), map[string]string{nvrtcVariable: sharedLibrary(t, "empty.so", "nvrtcGetErrorString")})
	_, err := openCompiler(env, 13000)
	if err == nil || !strings.Contains(err.Error(), "NVRTC was not found") || !strings.Contains(err.Error(), "it has no function nvrtcVersion") {
		t.Errorf("got %v", err)
	}
}

// TestLoadingDriver opens files in the driver's place.
func TestLoadingDriver(t *testing.T) {
	env := environmentOf(t.TempDir(), nil)
	env.driver = "librepvgg-is-not-there.so.1"
	if _, err := openDevice(env, 0); err == nil || !strings.Contains(err.Error(), "no NVIDIA driver was found (librepvgg-is-not-there.so.1") ||
		!strings.Contains(err.Error(), "--device cpu") {
		t.Errorf("got %v", err)
	}
	env.driver = sharedLibrary(t, "libcuda.so.1", "cuInit")
	if _, err := openDevice(env, 0); err == nil || !strings.Contains(err.Error(), "it has no function cuGetErrorString") {
		t.Errorf("got %v", err)
	}
}

// TestNewWithoutALibrary: one line, and nothing is left behind.
func TestNewWithoutALibrary(t *testing.T) {
	plan := testkit.Plans(model.Deploy)["plain"]
	env := environmentOf(t.TempDir(), map[string]string{cudnnVariable: filepath.Join(t.TempDir(), "missing.so")})
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

// TestLaunchArguments: what is no kind of argument is refused before the driver
// is called.
func TestLaunchArguments(t *testing.T) {
	m := &module{d: &device{}}
	if err := m.launch(linearRow, elements(1), nil, "text"); err == nil || !strings.Contains(err.Error(), "launching linear_row: argument 0 is a string") {
		t.Errorf("got %v", err)
	}
	if err := m.launch(linearRow, elements(1), nil, make([]any, 40)...); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("got %v", err)
	}
}

// TestPreload: every NVRTC that is there is opened, with its builtins.
func TestPreload(t *testing.T) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip("no list of what is loaded")
	}
	functions := []string{"nvrtcGetErrorString", "nvrtcVersion", "nvrtcCreateProgram", "nvrtcDestroyProgram", "nvrtcCompileProgram",
		"nvrtcGetProgramLogSize", "nvrtcGetProgramLog", "nvrtcGetCUBINSize", "nvrtcGetCUBIN"}
	root := t.TempDir()
	site := filepath.Join(root, "venv/lib/python3.12/site-packages/nvidia")
	var want []string
	for _, name := range []string{"cu13/lib/libnvrtc.so.13", "cu13/lib/libnvrtc-builtins.so.13.0", "cuda_nvrtc/lib/libnvrtc.so.12", "cuda_nvrtc/lib/libnvrtc-builtins.so.12.8"} {
		path := filepath.Join(site, name)
		place(t, site, name)
		if err := os.Rename(sharedLibrary(t, "library.so", functions...), path); err != nil {
			t.Fatal(err)
		}
		want = append(want, path)
	}
	if strings.Contains(string(maps), site) {
		t.Fatal("they are loaded already")
	}
	preload(environmentOf(root, map[string]string{"VIRTUAL_ENV": filepath.Join(root, "venv")}))
	if maps, err = os.ReadFile("/proc/self/maps"); err != nil {
		t.Fatal(err)
	}
	for _, path := range want {
		if !strings.Contains(string(maps), path) {
			t.Errorf("%s is not loaded", path)
		}
	}
}
