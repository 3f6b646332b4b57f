package dataset

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// maxDepth bounds the nesting of folders, because a symbolic link may lead to a
// parent folder.
const maxDepth = 40

// scan lists the images in the folders below root. The folders, sorted by name, are
// the classes 0 to n-1; in each of them files at any depth count, sorted by path, if
// they are not hidden and have one of the extensions in any case.
func (d *Dataset) scan(ctx context.Context, root string, extensions []string) error {
	d.Scanned = true
	suffixes := make([]string, len(extensions))
	for i, e := range extensions {
		suffixes[i] = strings.ToLower(e)
	}
	folders, _, err := list(root)
	if err != nil {
		return fmt.Errorf("scanning data_prefix %q: %w", root, err)
	}
	slices.Sort(folders)
	folders = d.withoutHidden(folders)
	for label, folder := range folders {
		var files []string
		if err := walk(ctx, join(root, folder), "", suffixes, 0, &files); err != nil {
			return fmt.Errorf("scanning data_prefix %q: %w", root, err)
		}
		if len(files) == 0 {
			d.empty = append(d.empty, folder)
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
		return fmt.Errorf("scanning data_prefix %q: The number of subfolders (%d) doesn't match the number of specified classes (%d). Please check the data folder%s",
			root, len(folders), len(d.Classes), d.emptyHint())
	}
	if len(d.empty) > 0 {
		d.Warnings = append(d.Warnings, fmt.Sprintf("Found no valid file in the folder %s. Supported extensions are: %s",
			strings.Join(d.empty, ", "), strings.Join(suffixes, ", ")))
	}
	return nil
}

// withoutHidden leaves out hidden folders, such as the .ipynb_checkpoints of Jupyter,
// which would take the labels of the classes. They stay if the classes are as many
// as all folders.
func (d *Dataset) withoutHidden(folders []string) []string {
	isHidden := func(name string) bool { return strings.HasPrefix(name, ".") }
	visible := slices.DeleteFunc(slices.Clone(folders), isHidden)
	if len(visible) == len(folders) || len(visible) == 0 || len(d.Classes) == len(folders) {
		return folders
	}
	hidden := slices.DeleteFunc(slices.Clone(folders), func(name string) bool { return !isHidden(name) })
	d.Warnings = append(d.Warnings, fmt.Sprintf("hidden folders are no classes and are left out: %s; if they are classes, rename them", someOf(hidden)))
	return visible
}

// emptyHint names folders that may not be meant to be classes.
func (d *Dataset) emptyHint() string {
	if len(d.empty) == 0 {
		return ""
	}
	return "; these hold no images: " + someOf(d.empty)
}

// someOf lists the first few names.
func someOf(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// list names the folders and the files that are not hidden, links followed.
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

// walk appends the images in dir and below, as paths that start with base.
func walk(ctx context.Context, dir, base string, suffixes []string, depth int, found *[]string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
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
		if err := walk(ctx, join(dir, f), join(base, f), suffixes, depth+1, found); err != nil {
			return err
		}
	}
	return nil
}
