//go:build cgo && unix

package cuda

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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

// TestLoadingCUDNN: the file is missing, not a library, or not cuDNN 9.
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
		_, err := OpenCUDNN(env)
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
	_, err := OpenCompiler(env, 13000)
	if err == nil || !strings.Contains(err.Error(), "NVRTC was not found") || !strings.Contains(err.Error(), "it has no function nvrtcVersion") {
		t.Errorf("got %v", err)
	}
}

// TestLoadingDriver opens files in the driver's place.
func TestLoadingDriver(t *testing.T) {
	env := environmentOf(t.TempDir(), nil)
	env.Driver = "librepvgg-is-not-there.so.1"
	_, err := OpenDevice(env, 0)
	if _, ok := errors.AsType[*UnavailableError](err); !ok || !strings.Contains(err.Error(), "no NVIDIA driver was found (librepvgg-is-not-there.so.1") {
		t.Errorf("got %v", err)
	}
	env.Driver = sharedLibrary(t, "libcuda.so.1", "cuInit")
	if _, err := OpenDevice(env, 0); err == nil || !strings.Contains(err.Error(), "it has no function cuGetErrorString") {
		t.Errorf("got %v", err)
	}
}

// TestLaunchArguments: an argument of another type is refused before the driver is
// called.
func TestLaunchArguments(t *testing.T) {
	m := &Module{d: &Device{}, names: []string{"linear"}}
	if err := m.Launch(nil, 0, Grid{}, "text"); err == nil || !strings.Contains(err.Error(), "launching linear: argument 0 is a string") {
		t.Errorf("got %v", err)
	}
	if err := m.Launch(nil, 0, Grid{}, make([]any, maxArguments+1)...); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("got %v", err)
	}
}

// TestPreload: every NVRTC that is installed is opened, with its builtins.
func TestPreload(t *testing.T) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip("this system does not list the loaded libraries")
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
	Preload(environmentOf(root, map[string]string{"VIRTUAL_ENV": filepath.Join(root, "venv")}))
	if maps, err = os.ReadFile("/proc/self/maps"); err != nil {
		t.Fatal(err)
	}
	for _, path := range want {
		if !strings.Contains(string(maps), path) {
			t.Errorf("%s is not loaded", path)
		}
	}
}

func TestVersionName(t *testing.T) {
	for v, want := range map[uint64]string{90100: "9.1.0", 91900: "9.19.0", 90201: "9.2.1", 8906: "8.9.6"} {
		if got := versionName(v); got != want {
			t.Errorf("%d is %s, want %s", v, got, want)
		}
	}
}

// TestFindNoLibraries: each has the reason why it can't be used.
func TestFindNoLibraries(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.so")
	env := environmentOf(t.TempDir(), map[string]string{cudnnVariable: missing, nvrtcVariable: missing})
	env.Driver = "librepvgg-is-not-there.so.1"
	l := FindLibraries(env)
	for name, c := range map[string]struct {
		got  Found
		want string
	}{"driver": {l.Driver, env.Driver}, "NVRTC": {l.NVRTC, missing}, "cuDNN": {l.CUDNN, missing}} {
		if c.got.Err == nil || !strings.Contains(c.got.Err.Error(), c.want) || c.got.Path != "" || c.got.Version != "" {
			t.Errorf("%s: got %+v, want an error with %q", name, c.got, c.want)
		}
	}
}
