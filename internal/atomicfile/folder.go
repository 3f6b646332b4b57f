package atomicfile

import (
	"errors"
	"os"
	"path/filepath"

	"repvgg/internal/cleanup"
)

// Folder is a folder that many files are written into, whatever their names are:
// none of them can leave it. Its methods may be called by several goroutines at a
// time.
type Folder struct{ root *os.Root }

// OpenFolder opens a folder, and makes it if there is none.
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

// Close ends the use of the folder.
func (d *Folder) Close() error { return d.root.Close() }

// Write writes a file below the folder, which appears under its name only when it
// is complete. It is not forced to the disk, for which thousands of files would
// wait one after the other. After any error what had the name still has it, and it is
// an error if that is the file at the path keep.
func (d *Folder) Write(name string, data []byte, keep string) error {
	if there, err := d.root.Stat(name); err == nil {
		if kept, err := os.Stat(keep); err == nil && os.SameFile(there, kept) {
			return errors.New("it is the file that is read, which is not replaced")
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
