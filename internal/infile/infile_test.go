package infile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// within fails the test if f takes long: opening a pipe would wait for ever.
func within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits")
	}
}

func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	pipe, socket, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "socket"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		pipe: "it is not a regular file but a pipe", link: "it is not a regular file but a pipe", socket: "it is not a regular file but a socket",
		dir: "it is not a regular file but a folder", os.DevNull: "it is not a regular file but a device", "/dev/stdin": "is not a regular file",
	} {
		within(t, func() {
			for _, open := range []func() error{
				func() error { _, err := Open(t.Context(), path); return err },
				func() error { _, err := Read(t.Context(), path, nil, 10); return err },
			} {
				if err := open(); !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
					t.Errorf("%q: %v, want %q", path, err, want)
				}
			}
		})
	}
	if _, err := Open(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "stat") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	text := strings.Repeat("0123456789", 1<<20)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := Read(t.Context(), path, nil, 1<<24)
	if err != nil || string(data) != text {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	buf := make([]byte, len(text))
	if data, err = Read(t.Context(), path, buf, 1<<24); err != nil || &data[0] != &buf[0] {
		t.Errorf("the buffer was not used (%v)", err)
	}
	if _, err := Read(t.Context(), path, nil, 1000); err == nil || !strings.Contains(err.Error(), "it has 10485760 bytes, more than the 1000") {
		t.Errorf("a file that is too large: %v", err)
	}
}

func TestEndOfContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(f); !errors.Is(err, context.Canceled) {
		t.Errorf("reading on: %v", err)
	}
	if _, err := f.ReadAt(make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("reading at a place: %v", err)
	}
	if _, err := Read(ctx, path, nil, 1000); !errors.Is(err, context.Canceled) {
		t.Errorf("reading whole: %v", err)
	}
}
