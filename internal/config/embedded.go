package config

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"repvgg/configs"
)

// embeddedRoot is the folder in the displayed paths of embedded configs.
const embeddedRoot = "configs"

// Embedded returns the short names of the embedded configs. Each is followed by a
// tab and its path
// ("repvgg-A0\tconfigs/repvgg/repvgg-A0_4xb64-coslr-120e_in1k.py"), which is the
// format of a shell completion with a description. Train configs come first.
func Embedded() []string {
	var train, deploy []string
	for _, file := range embeddedFiles() {
		switch short := shortName(file); {
		case strings.HasSuffix(short, "_deploy"):
			deploy = append(deploy, short+"\t"+file)
		case short != "":
			train = append(train, short+"\t"+file)
		}
	}
	return append(train, deploy...)
}

// embeddedFiles returns the paths of all embedded .py files, including bases, in a
// fixed order.
func embeddedFiles() []string {
	var files []string
	// Walking the embedded tree can't fail.
	_ = fs.WalkDir(configs.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && path.Ext(name) == ".py" {
			files = append(files, embeddedRoot+"/"+name)
		}
		return err
	})
	return files
}

// shortName returns the part of a config's file name that identifies the network:
// "repvgg-A0_deploy" for "configs/repvgg/deploy/repvgg-A0_deploy_4xb64-...py". A
// base has no short name.
func shortName(file string) string {
	if strings.HasPrefix(file, embeddedRoot+"/_base_/") {
		return ""
	}
	name := path.Base(file)
	arch, rest, _ := strings.Cut(name, "_")
	if strings.HasPrefix(rest, "deploy_") {
		return arch + "_deploy"
	}
	return arch
}

// find returns the file for the name of a config that a user gave.
func find(name string) (source, error) {
	file := expandHome(name)
	info, err := os.Stat(file)
	if err == nil && !info.IsDir() {
		return source{path: filepath.Clean(file)}, nil
	}
	if s, ok := findEmbedded(name); ok {
		return s, nil
	}
	if err == nil {
		return source{}, fmt.Errorf("%q is a folder: give a file in it", name)
	}
	return source{}, fmt.Errorf("file %q does not exist, and no embedded config has that name (%s)", file, suggestion(name))
}

func findEmbedded(name string) (source, bool) {
	clean := path.Clean(filepath.ToSlash(name))
	for _, file := range embeddedFiles() {
		if short := shortName(file); name != "" && (strings.EqualFold(short, name) || strings.EqualFold(short, "repvgg-"+name)) ||
			file == clean || strings.HasSuffix(file, "/"+clean) && path.Ext(clean) == ".py" {
			return source{file, true}, true
		}
	}
	return source{}, false
}

// suggestion lists the embedded configs with the most similar names.
func suggestion(name string) string {
	name = path.Base(filepath.ToSlash(name))
	type candidate struct {
		name     string
		distance int
	}
	var short []string
	var near []candidate
	for _, entry := range Embedded() {
		s, file, _ := strings.Cut(entry, "\t")
		short = append(short, s)
		for _, full := range []string{s, path.Base(file)} {
			if d := editDistance(strings.ToLower(name), strings.ToLower(full)); d <= max(2, len(full)/8) {
				near = append(near, candidate{full, d})
			}
		}
	}
	if len(near) == 0 {
		return "embedded configs: " + strings.Join(short, ", ")
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, c := range near[:min(3, len(near))] {
		names = append(names, c.name)
	}
	return "did you mean " + strings.Join(names, ", ") + "?"
}

// editDistance returns the Levenshtein distance: the number of letters to insert,
// delete or replace. Names too long to be similar to any of ours are not compared.
func editDistance(a, b string) int {
	if len(a) > 256 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
