package atomicfile

import (
	"errors"
	"os"
	"path/filepath"

	"repvgg/internal/cleanup"
)

// Folder is a folder to write many files to. No name can lead out of it. It is safe
// for concurrent use.
type Folder struct{ root *os.Root }

// OpenFolder opens a folder, and makes it if it is missing.
func OpenFolder(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Folder{root}, nil
}

// Close closes the folder.
func (d *Folder) Close() error { return d.root.Close() }

// Write writes a file below the folder. It appears under its name only when it is
// complete. It is not synced, because thousands of files would each wait for the
// disk. After any error, an existing file is unchanged. It is an error if the file
// to replace is the one at the path keep.
func (d *Folder) Write(name string, data []byte, keep string) error {
	if there, err := d.root.Stat(name); err == nil {
		if kept, err := os.Stat(keep); err == nil && os.SameFile(there, kept) {
			return errors.New("this is the file to read, which must not be replaced")
		}
	}
	dir, base := filepath.Split(name)
	if dir != "" {
		if err := d.root.MkdirAll(filepath.Clean(dir), 0o777); err != nil {
			return err
		}
	}
	var f *os.File
	var tmp string
	settled, err := cleanup.Do(func() { d.root.Remove(tmp) }, func() error {
		return tryNames(base, func(name string) (err error) {
			tmp = filepath.Join(dir, name)
			f, err = d.root.OpenFile(tmp, createFlags, 0o666)
			return err
		})
	})
	if err != nil {
		return err
	}
	defer settled()
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = cleanup.Keep(func() error { return d.root.Rename(tmp, name) })
	}
	if err != nil {
		d.root.Remove(tmp)
	}
	return err
}
