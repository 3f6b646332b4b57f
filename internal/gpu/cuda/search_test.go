package cuda

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// place makes files below a folder.
func place(t *testing.T, root string, files ...string) {
	t.Helper()
	for _, f := range files {
		f = filepath.Join(root, f)
		if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// environmentOf has these variables, and all fixed folders below root.
func environmentOf(root string, variables map[string]string) Environment {
	return Environment{Getenv: func(name string) string { return variables[name] }, Home: filepath.Join(root, "home"), Root: root}
}

func TestCandidates(t *testing.T) {
	root := t.TempDir()
	const wheel = "site-packages/nvidia/cudnn/lib/libcudnn.so.9"
	place(t, root, "venv/lib/python3.12/"+wheel, "torch/bin/python3", "torch/lib/python3.11/"+wheel, "real/lib/python3.13/"+wheel, "real/bin/python3.13",
		"home/.local/lib/python3.10/"+wheel, "usr/lib/python3/dist-packages/nvidia/cudnn/lib/libcudnn.so.9", "usr/local/cuda/lib64/libcudnn.so.9",
		"extra/nvidia/cudnn/lib/libcudnn.so.9", "usr/lib/python3.9/site-packages/nvidia/cudnn/lib/libcudnn.so.8", "odd[1]/lib/python3.12/"+wheel)
	if err := os.MkdirAll(filepath.Join(root, "link", "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "real", "bin", "python3.13"), filepath.Join(root, "link", "bin", "python3")); err != nil {
		t.Fatal(err)
	}
	env := environmentOf(root, map[string]string{
		"VIRTUAL_ENV": filepath.Join(root, "venv"), "CONDA_PREFIX": filepath.Join(root, "odd[1]"), "PYTHONPATH": filepath.Join(root, "extra"),
		"PATH": strings.Join([]string{filepath.Join(root, "torch", "bin"), filepath.Join(root, "link", "bin"), filepath.Join(root, "missing")}, string(os.PathListSeparator)),
	})
	got, err := cudnnLibrary.candidates(env)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range got {
		got[i] = strings.TrimPrefix(name, root+"/")
	}
	want := []string{
		"libcudnn.so.9", "extra/nvidia/cudnn/lib/libcudnn.so.9", "venv/lib/python3.12/" + wheel, "odd[1]/lib/python3.12/" + wheel, "torch/lib/python3.11/" + wheel,
		"real/lib/python3.13/" + wheel, "home/.local/lib/python3.10/" + wheel, "usr/lib/python3/dist-packages/nvidia/cudnn/lib/libcudnn.so.9", "usr/local/cuda/lib64/libcudnn.so.9",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNVRTCOfWheels(t *testing.T) {
	root := t.TempDir()
	place(t, root, "venv/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13", "venv/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12")
	got, err := nvrtcLibrary.candidates(environmentOf(root, map[string]string{"VIRTUAL_ENV": filepath.Join(root, "venv")}))
	if err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(root, "venv/lib/python3.12/site-packages/nvidia")
	want := []string{"libnvrtc.so.13", "libnvrtc.so.12", site + "/cu13/lib/libnvrtc.so.13", site + "/cuda_nvrtc/lib/libnvrtc.so.12"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestLinkedVenv: the Python on the PATH is a link to that of a virtual
// environment, which is a link to the system's.
func TestLinkedVenv(t *testing.T) {
	root := t.TempDir()
	place(t, root, "usr/bin/python3.12", "opt/venv/bin/readme", "local/bin/readme", "opt/venv/lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn.so.9")
	for link, to := range map[string]string{
		"usr/bin/python3": "python3.12", "opt/venv/bin/python3": filepath.Join(root, "usr/bin/python3"), "local/bin/python3": "../../opt/venv/bin/python3",
	} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := cudnnLibrary.candidates(environmentOf(t.TempDir(), map[string]string{"PATH": filepath.Join(root, "local/bin")}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"libcudnn.so.9", filepath.Join(root, "opt/venv/lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn.so.9")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNVRTCForDriver(t *testing.T) {
	for cuda, want := range map[int][]string{13000: {"libnvrtc.so.13", "libnvrtc.so.12"}, 12080: {"libnvrtc.so.12", "libnvrtc.so.13"}} {
		l := nvrtcFor(cuda)
		if diff := cmp.Diff(want, l.names); diff != "" || len(l.wheels) != len(nvrtcLibrary.wheels) {
			t.Errorf("CUDA %d: %s", cuda, diff)
		}
	}
}

func TestVariable(t *testing.T) {
	root := t.TempDir()
	place(t, root, "file/mine.so", "folder/libcudnn.so.9", "install/lib/libcudnn.so.9", "empty/readme")
	for _, c := range []struct{ value, want, err string }{
		{"file/mine.so", "file/mine.so", ""}, {"folder", "folder/libcudnn.so.9", ""}, {"install", "install/lib/libcudnn.so.9", ""},
		{"empty", "", "the folder has no libcudnn.so.9"}, {"missing", "", "no such file"},
	} {
		got, err := cudnnLibrary.candidates(environmentOf(root, map[string]string{cudnnVariable: filepath.Join(root, c.value)}))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), cudnnVariable+"=") {
				t.Errorf("%s: error %v", c.value, err)
			}
			continue
		}
		if err != nil || len(got) != 1 || got[0] != filepath.Join(root, c.want) {
			t.Errorf("%s: %q, %v", c.value, got, err)
		}
	}
}

// TestOpenTries: the first candidate that opens is taken. The error is that of a
// file where there is one: that the linker does not know a name is usual.
func TestOpenTries(t *testing.T) {
	root := t.TempDir()
	place(t, root, "usr/local/cuda/lib64/libcudnn.so.9")
	env := environmentOf(root, nil)
	file := filepath.Join(root, "usr/local/cuda/lib64/libcudnn.so.9")
	var tried []string
	err := cudnnLibrary.open(env, func(name string) error {
		tried = append(tried, name)
		return errors.New("no " + name)
	})
	if want := []string{"libcudnn.so.9", file}; cmp.Diff(want, tried) != "" || err == nil || err.Error() != "no "+file {
		t.Errorf("tried %q, error %v", tried, err)
	}
	if err := cudnnLibrary.open(env, func(string) error { return nil }); err != nil {
		t.Error(err)
	}
	err = cudnnLibrary.open(environmentOf(t.TempDir(), nil), func(name string) error { return errors.New("no " + name) })
	if err == nil || err.Error() != "no libcudnn.so.9" {
		t.Errorf("got %v", err)
	}
}
