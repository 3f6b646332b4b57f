package dataset

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// maxDepth bounds the nesting of folders, because a symbolic link may lead to a
// parent folder.
const maxDepth = 40

// scan lists the images in the folders below root. The folders, including hidden
// ones, sorted by name, are the classes 0 to n-1. Images are the files at any depth
// in them, sorted by path, that are not hidden and have one of the extensions, in
// upper or lower case.
func (d *Dataset) scan(root string, extensions []string) error {
	suffixes := make([]string, len(extensions))
	for i, e := range extensions {
		suffixes[i] = strings.ToLower(e)
	}
	folders, _, err := list(root)
	if err != nil {
		return fmt.Errorf("scanning data_prefix %q: %w", root, err)
	}
	slices.Sort(folders)
	var empty []string
	for label, folder := range folders {
		var files []string
		if err := walk(join(root, folder), "", suffixes, 0, &files); err != nil {
			return fmt.Errorf("scanning data_prefix %q: %w", root, err)
		}
		if len(files) == 0 {
			empty = append(empty, folder)
		}
		slices.Sort(files)
		for _, file := range files {
			name := join(folder, file)
			d.Samples = append(d.Samples, Sample{Name: name, Path: join(root, name), Label: label})
		}
	}
	if len(d.Samples) == 0 {
		return fmt.Errorf("scanning data_prefix %q: Found 0 files in subfolders of: %s. Supported extensions are: %s; images that are not in one folder per class need an ann_file",
			root, root, strings.Join(suffixes, ","))
	}
	if d.Classes == nil {
		d.Classes = folders
	}
	if len(d.Classes) != len(folders) {
		return fmt.Errorf("scanning data_prefix %q: The number of subfolders (%d) doesn't match the number of specified classes (%d). Please check the data folder",
			root, len(folders), len(d.Classes))
	}
	if len(empty) > 0 {
		d.Warnings = append(d.Warnings, fmt.Sprintf("Found no valid file in the folder %s. Supported extensions are: %s",
			strings.Join(empty, ", "), strings.Join(suffixes, ", ")))
	}
	return nil
}

// list returns the folders and the files in dir that are not hidden. It follows
// links.
func list(dir string) (folders, files []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		mode := e.Type()
		if mode&os.ModeSymlink != 0 {
			info, err := os.Stat(join(dir, e.Name()))
			if err != nil {
				continue // a broken link is neither
			}
			mode = info.Mode()
		}
		switch {
		case mode.IsDir():
			folders = append(folders, e.Name())
		case mode.IsRegular() && !strings.HasPrefix(e.Name(), "."):
			files = append(files, e.Name())
		}
	}
	return folders, files, nil
}

// walk appends the images in dir and below it, as paths that start with base.
func walk(dir, base string, suffixes []string, depth int, found *[]string) error {
	if depth > maxDepth {
		return fmt.Errorf("%q is nested more than %d folders deep: is there a cycle of links?", dir, maxDepth)
	}
	folders, files, err := list(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		lower := strings.ToLower(f)
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(lower, s) }) {
			*found = append(*found, join(base, f))
		}
	}
	for _, f := range folders {
		if err := walk(join(dir, f), join(base, f), suffixes, depth+1, found); err != nil {
			return err
		}
	}
	return nil
}
