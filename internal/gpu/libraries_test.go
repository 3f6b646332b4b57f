//go:build cgo && linux

package gpu

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestFindLibraries: the files and versions of what is there.
func TestFindLibraries(t *testing.T) {
	env := emulated(t, fp32)
	l := findLibraries(env)
	for name, c := range map[string]struct {
		got     Found
		path    string
		version string
	}{
		"driver": {l.Driver, env.driver, driverVersion(13000)},
		"NVRTC":  {l.NVRTC, env.getenv(nvrtcVariable), "13.0"},
		"cuDNN":  {l.CUDNN, env.getenv(cudnnVariable), "9.1.0"},
	} {
		if want := (Found{Path: c.path, Version: c.version}); c.got != want {
			t.Errorf("%s: got %+v, want %+v", name, c.got, want)
		}
	}
}

// TestFindNoLibraries: each says why it can't be used.
func TestFindNoLibraries(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.so")
	env := environmentOf(t.TempDir(), map[string]string{cudnnVariable: missing, nvrtcVariable: missing})
	env.driver = "librepvgg-is-not-there.so.1"
	l := findLibraries(env)
	for name, c := range map[string]struct {
		got  Found
		want string
	}{"driver": {l.Driver, env.driver}, "NVRTC": {l.NVRTC, missing}, "cuDNN": {l.CUDNN, missing}} {
		if c.got.Err == nil || !strings.Contains(c.got.Err.Error(), c.want) || c.got.Path != "" || c.got.Version != "" {
			t.Errorf("%s: got %+v, want an error with %q", name, c.got, c.want)
		}
	}
}
