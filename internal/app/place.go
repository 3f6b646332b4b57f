package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// place is a folder with those above it, as they are on the disk: whatever links
// lead to it, it is the same. It need not exist.
type place struct {
	missing int           // how many steps of its path do not exist
	chain   []fs.FileInfo // those that do, the innermost first
}

func placeOf(folder string) place {
	var p place
	for dir := resolved(folder); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil {
			p.chain = append(p.chain, info)
		} else if len(p.chain) == 0 {
			p.missing++
		}
		if dir == filepath.Dir(dir) {
			return p
		}
	}
}

// below is how many folders down from a folder the place is: 0 if it is that folder,
// -1 if it is not in there.
func (p place) below(folder string) int {
	info, err := os.Stat(filepath.Clean(folder))
	if err != nil {
		return -1
	}
	i := slices.IndexFunc(p.chain, func(f fs.FileInfo) bool { return os.SameFile(f, info) })
	if i < 0 {
		return -1
	}
	return p.missing + i
}

// resolved is a path without links, as far as it exists.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rest := ""
	for dir := path; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		if dir == filepath.Dir(dir) {
			return path
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

// fileAt is the path of a file without links to its folder. What has its name, which
// may be a link, is what writing it replaces.
func fileAt(path string) string {
	return filepath.Join(resolved(filepath.Dir(path)), filepath.Base(path))
}
