// Package atomicfile writes files that appear under their name only when they
// are complete: under a temporary name in the same folder first, then forced to
// the disk and renamed. A run that fails leaves no file and destroys none; a
// process that can't wait for it removes unfinished files by cleanup.Run.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"repvgg/internal/cleanup"
)

// File is a file under its temporary name, which Name returns. End it with Commit
// or Abort.
type File struct {
	*os.File
	path     string
	finished bool
	// made are the folders that Create made, innermost first.
	made []string
	// settled says that nothing unfinished is left.
	settled func()
}

// Create starts the file that will become path; the parent folders are made. A
// path that exists and is no regular file, such as a folder or a device, is an
// error.
func Create(path string) (*File, error) {
	if err := Check(path); err != nil {
		return nil, err
	}
	f := &File{path: path, made: missingFolders(filepath.Dir(path))}
	var err error
	if f.settled, err = cleanup.Do(f.remove, f.create); err != nil {
		removeAll(f.made)
		return nil, err
	}
	return f, nil
}

func (f *File) create() error {
	dir, base := filepath.Split(f.path)
	if err := os.MkdirAll(filepath.Clean(dir), 0o777); err != nil {
		return err
	}
	return tryNames(base, func(name string) (err error) {
		f.File, err = os.OpenFile(filepath.Join(dir, name), createFlags, 0o666)
		return err
	})
}

// createFlags are for a new file. As os.CreateTemp, but with the permissions that
// the umask gives, since the file will stay.
const createFlags = os.O_RDWR | os.O_CREATE | os.O_EXCL

// longestBase is how much of a file's name its temporary one has: file systems
// allow 255 bytes.
const longestBase = 200

// tryNames calls create with temporary names for a file until one is free.
func tryNames(base string, create func(name string) error) error {
	if len(base) > longestBase {
		base = strings.ToValidUTF8(base[:longestBase], "")
	}
	for range 100 {
		err := create("." + base + "." + strconv.FormatUint(rand.Uint64(), 36) + ".tmp")
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return fmt.Errorf("found no free temporary name for %q", base)
}

// Check returns an error for a path that Create would refuse: one that exists and
// is not a regular file, or one below a file. It changes nothing.
func Check(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%q exists and is not a regular file", path)
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%q is not a folder", dir)
		}
		if err == nil || dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// Probe returns an error if no file can be written at path. It finds out by
// creating a temporary file, and leaves nothing behind.
func Probe(path string) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	f.Abort()
	return nil
}

// missingFolders are dir and those above it that do not exist, dir first.
func missingFolders(dir string) []string {
	var missing []string
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return missing
		}
		missing = append(missing, dir)
	}
}

// removeAll removes the folders that are empty.
func removeAll(dirs []string) {
	for _, dir := range dirs {
		os.Remove(dir)
	}
}

// Finish syncs the file to disk and closes it. The file keeps its temporary name,
// so that it can be checked before Commit.
func (f *File) Finish() error {
	if f.finished {
		return nil
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	f.finished = true
	return nil
}

// Commit finishes the file and gives it its final name.
func (f *File) Commit() error {
	if err := f.Finish(); err != nil {
		return err
	}
	if err := cleanup.Keep(func() error { return os.Rename(f.Name(), f.path) }); err != nil {
		return err
	}
	f.made = nil
	f.settled()
	return syncDir(filepath.Dir(f.path))
}

// syncDir makes the rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// Abort removes the unfinished file and the folders that were made for it. After
// Commit it does nothing.
func (f *File) Abort() {
	f.Close()
	f.remove()
	f.settled()
}

func (f *File) remove() {
	os.Remove(f.Name())
	removeAll(f.made)
}

// Write creates the file path with what fill writes. fill may ignore write errors,
// because the writer keeps the first one. After any error, path is unchanged.
func Write(path string, fill func(w *bufio.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Commit()
}
