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

// embeddedRoot is the folder that the embedded configs are shown under.
const embeddedRoot = "configs"

// Embedded returns the short names of the embedded configs, each with its path
// after a tab ("repvgg-A0\tconfigs/repvgg/repvgg-A0_4xb64-coslr-120e_in1k.py"):
// the form of a shell completion with its description. The training forms come
// first.
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

// embeddedFiles returns the paths of all embedded .py files, bases included, in
// a fixed order.
func embeddedFiles() []string {
	var files []string
	// The embedded tree cannot fail to be walked.
	_ = fs.WalkDir(configs.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && path.Ext(name) == ".py" {
			files = append(files, embeddedRoot+"/"+name)
		}
		return err
	})
	return files
}

// shortName is the part of a config's file name that tells the network:
// "repvgg-A0_deploy" of "configs/repvgg/deploy/repvgg-A0_deploy_4xb64-...py". A
// base has none.
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

// find returns the file that the user's name for a config means.
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
		return source{}, fmt.Errorf("%q is a folder: name a file in it", name)
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

// suggestion names the embedded configs whose name is nearest.
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

// editDistance is Levenshtein's: how many letters to insert, delete or replace.
// Names too long to be near any of ours are not compared.
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
