package dataset

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"repvgg/internal/config"
)

// Types are the types of data sets that we have, by MMClassification's names.
var Types = []string{"CustomDataset", "ImageNet"}

// Dataset is a list of images to evaluate, in the order of evaluation.
type Dataset struct {
	Type    string   // one of Types
	Classes []string // the names by label; nil if they are not known
	Samples []Sample
	// Warnings are notes for the user, one line each.
	Warnings []string
}

// Sample is one image.
type Sample struct {
	Name  string // as it is listed, relative to data_prefix
	Path  string // Name joined to data_prefix
	Label int    // the right class, from 0
}

// defaultExtensions are the suffixes of images in a folder without an ann_file.
var defaultExtensions = []string{".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif"}

// imagenetClasses holds the names of the ImageNet-1k classes, one a line, by
// ascending WordNet id, as MMClassification writes them.
//
//go:embed imagenet_classes.txt
var imagenetClasses string

// ImageNetClasses are the names of the 1000 classes of ImageNet-1k. The label
// of a class is its rank by WordNet id, which also is the order of the folders.
func ImageNetClasses() []string {
	return strings.Split(strings.TrimSuffix(imagenetClasses, "\n"), "\n")
}

// options are the keys of data.test.
type options struct {
	Type       string       `config:"type,required"`
	Prefix     string       `config:"data_prefix,required"`
	AnnFile    config.Value `config:"ann_file"`
	Classes    config.Value `config:"classes"`
	Extensions []string     `config:"extensions"`

	// These say nothing about what there is to evaluate.
	Pipeline config.Value `config:"pipeline"`
	TestMode config.Value `config:"test_mode"`
	Client   config.Value `config:"file_client_args"`
}

// FromConfig lists the samples of data.test. With an ann_file they are its
// lines; without, the folders below data_prefix are the classes.
func FromConfig(test config.Section) (*Dataset, error) {
	var head struct {
		Type string `config:"type,required"`
	}
	if err := test.Decode(&head); err != nil {
		return nil, err
	}
	if !slices.Contains(Types, head.Type) {
		return nil, test.Errorf("type", "data set %q is not one of %v", head.Type, Types)
	}
	opts := options{Extensions: slices.Clone(defaultExtensions)}
	if err := test.DecodeStrict(&opts); err != nil {
		return nil, err
	}
	if d, ok := opts.Client.(*config.Dict); ok {
		if b, ok := d.Get("backend"); ok && b != "disk" {
			return nil, test.Errorf("file_client_args", "backend %v is not supported, want \"disk\"", b)
		}
	}
	prefix, err := expandUser(opts.Prefix)
	if err != nil {
		return nil, test.Errorf("data_prefix", "%w", err)
	}
	d := &Dataset{Type: opts.Type}
	if d.Classes, err = classNames(test, opts.Classes); err != nil {
		return nil, err
	}
	if d.Classes == nil && d.Type == "ImageNet" {
		d.Classes = ImageNetClasses()
	}
	switch annFile := opts.AnnFile.(type) {
	case nil:
		err = d.scan(prefix, opts.Extensions)
	case string:
		if annFile, err = expandUser(annFile); err != nil {
			return nil, test.Errorf("ann_file", "%w", err)
		}
		err = d.readAnnFile(annFile, prefix)
	default:
		return nil, test.Errorf("ann_file", "ann_file must be a str or None, got %v", annFile)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// classNames reads `classes`: None, a list of names, or a file with one a line.
func classNames(test config.Section, v config.Value) ([]string, error) {
	var items []config.Value
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		path, err := expandUser(v)
		if err != nil {
			return nil, test.Errorf("classes", "%w", err)
		}
		names := []string{}
		err = eachLine(path, func(_ int, line string) error {
			names = append(names, strings.TrimRight(line, "\r\n"))
			return nil
		})
		if err != nil {
			return nil, test.Errorf("classes", "reading class names: %w", err)
		}
		return names, nil
	case config.List:
		items = v
	case config.Tuple:
		items = v
	default:
		return nil, test.Errorf("classes", "want a list of names, a file with one name per line, or None, got %v", v)
	}
	names := make([]string, len(items))
	for i, item := range items {
		name, ok := item.(string)
		if !ok {
			return nil, test.Errorf("classes", "item %d is %v, want a string", i, item)
		}
		names[i] = name
	}
	return names, nil
}

// expandUser replaces a leading ~ by the home folder.
func expandUser(path string) (string, error) {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("expanding %q: %w", path, err)
	}
	return home + path[1:], nil
}

// join is Python's os.path.join: an absolute name stands for itself.
func join(prefix, name string) string {
	switch {
	case prefix == "" || filepath.IsAbs(name):
		return name
	case strings.HasSuffix(prefix, "/"):
		return prefix + name
	}
	return prefix + "/" + name
}
