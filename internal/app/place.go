package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// place is a folder and its parents, as they are on disk. Different links to a
// folder give the same place. The folder need not exist.
type place struct {
	missing int           // number of path elements that do not exist
	chain   []fs.FileInfo // the folders that exist, innermost first
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

// below returns how many levels below a folder the place is. It returns 0 if the
// place is the folder, and -1 if it is not below the folder.
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

// resolved returns a path with all links resolved, as far as it exists.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rest := ""
	for dir := path; ; dir = filepath.Dir(dir) {
		if target, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(target, rest)
		}
		if dir == filepath.Dir(dir) {
			return path
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

// fileAt returns the path of a file with the links to its folder resolved. The file
// itself may be a link; writing replaces the link.
func fileAt(path string) string {
	return filepath.Join(resolved(filepath.Dir(path)), filepath.Base(path))
}
