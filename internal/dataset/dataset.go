package dataset

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"repvgg/internal/config"
)

// Types are the types of data sets that we have, by MMClassification's names.
var Types = []string{"CustomDataset", "ImageNet", "ImageNet21k", "CIFAR10", "CIFAR100", "MNIST", "FashionMNIST"}

// Dataset is a list of images to evaluate, in the order of evaluation.
type Dataset struct {
	Type    string   // one of Types
	AnnFile string   // the file that lists the images; empty if none does
	Classes []string // the names by label; nil if they are not known
	Samples []Sample
	// Warnings are notes for the user, one line each.
	Warnings []string
}

// Sample is one image.
type Sample struct {
	// Name is as the data set has it: relative to data_prefix, or the file of an
	// array and its place there, from 0 (t10k-images-idx3-ubyte[17]).
	Name  string
	Path  string // Name joined to data_prefix
	Label int    // the right class, from 0
	// Array is the image itself in a data set that holds images as arrays; nil if
	// the image is the file at Path.
	Array *Array
}

// Array is an 8-bit image: rows from top to bottom without padding, Channels
// bytes a pixel, len(Pix) == Height*Width*Channels. One channel is grey; three
// are red, green, blue.
type Array struct {
	Height, Width, Channels int
	Pix                     []byte
}

// Channels is how many channels the data set's images have: 1 or 3. Files are
// read in colour.
func (d *Dataset) Channels() int {
	if len(d.Samples) > 0 && d.Samples[0].Array != nil {
		return d.Samples[0].Array.Channels
	}
	return 3
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

// options are the keys of data.test that every type has.
type options struct {
	Prefix  string       `config:"data_prefix,required"`
	AnnFile config.Value `config:"ann_file"`
	Classes config.Value `config:"classes"`
	// TestMode chooses the test split of data sets that have splits. The
	// original's tools/test.py sets it where the config does not.
	TestMode bool `config:"test_mode"`
	// Pipeline is preprocess's.
	Pipeline config.Value `config:"pipeline"`
}

// fileOptions are the keys of data sets whose images are files.
type fileOptions struct {
	options
	Client     config.Value `config:"file_client_args"`
	Extensions []string     `config:"extensions"`
}

// largeOptions are the keys of ImageNet21k.
type largeOptions struct {
	options
	Client     config.Value `config:"file_client_args"`
	MultiLabel bool         `config:"multi_label"`
	Recursive  bool         `config:"recursion_subdir"`
	// Serialize is about the memory of the original's processes.
	Serialize bool `config:"serialize_data"`
}

// FromConfig lists the samples of data.test, and reads them where they are
// arrays. Nothing is downloaded.
func FromConfig(test config.Section) (*Dataset, error) {
	var head struct {
		Type string `config:"type,required"`
	}
	if err := test.Decode(&head); err != nil {
		return nil, err
	}
	d := &Dataset{Type: head.Type}
	var err error
	switch head.Type {
	case "CustomDataset", "ImageNet":
		opts := fileOptions{options: options{TestMode: true}, Extensions: slices.Clone(defaultExtensions)}
		if err = test.DecodeStrict(&opts); err == nil {
			err = d.readFiles(test, opts)
		}
	case "ImageNet21k":
		opts := largeOptions{options: options{TestMode: true}, Recursive: true}
		if err = test.DecodeStrict(&opts); err == nil {
			err = d.readLarge(test, opts)
		}
	case "CIFAR10", "CIFAR100", "MNIST", "FashionMNIST":
		opts := options{TestMode: true}
		if err = test.DecodeStrict(&opts); err == nil {
			err = d.readArrays(test, opts)
		}
	default:
		err = test.Errorf("type", "data set %q is not one of %v", head.Type, Types)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// readFiles lists images that are files: the lines of an ann_file, or without
// one what is in the folders below data_prefix, which are the classes.
func (d *Dataset) readFiles(test config.Section, opts fileOptions) error {
	if c, ok := opts.Client.(*config.Dict); ok {
		if b, ok := c.Get("backend"); ok && b != "disk" {
			return test.Errorf("file_client_args", "backend %v is not supported, want \"disk\"", b)
		}
	}
	prefix, err := expandUser(opts.Prefix)
	if err != nil {
		return test.Errorf("data_prefix", "%w", err)
	}
	if d.Classes, err = classNames(test, opts.Classes); err != nil {
		return err
	}
	if d.Classes == nil && d.Type == "ImageNet" {
		d.Classes = ImageNetClasses()
	}
	switch annFile := opts.AnnFile.(type) {
	case nil:
		return d.scan(prefix, opts.Extensions)
	case string:
		if d.AnnFile, err = expandUser(annFile); err != nil {
			return test.Errorf("ann_file", "%w", err)
		}
		return d.readAnnFile(d.AnnFile, prefix)
	default:
		return test.Errorf("ann_file", "ann_file must be a str or None, got %v", annFile)
	}
}

// readLarge lists ImageNet-21k: CustomDataset with options about its size.
func (d *Dataset) readLarge(test config.Section, opts largeOptions) error {
	if opts.MultiLabel {
		return test.Errorf("multi_label", "the `multi_label` option is not supported by now: remove it")
	}
	if !opts.Recursive {
		return test.Errorf("recursion_subdir", "the `recursion_subdir` option is deprecated: remove it; images are found at any depth")
	}
	return d.readFiles(test, fileOptions{opts.options, opts.Client, slices.Clone(defaultExtensions)})
}

// readArrays reads a data set that is a few files of arrays.
func (d *Dataset) readArrays(test config.Section, opts options) error {
	prefix, err := expandUser(opts.Prefix)
	if err != nil {
		return test.Errorf("data_prefix", "%w", err)
	}
	if opts.AnnFile != nil {
		d.Warnings = append(d.Warnings, fmt.Sprintf("data set %s has its labels with its images: ann_file %v is not read", d.Type, opts.AnnFile))
	}
	switch d.Type {
	case "CIFAR10":
		err = d.readCIFAR(cifar10, prefix, opts.TestMode)
	case "CIFAR100":
		err = d.readCIFAR(cifar100, prefix, opts.TestMode)
	case "MNIST":
		err = d.readMNIST(mnist, prefix, opts.TestMode)
	case "FashionMNIST":
		err = d.readMNIST(fashionMNIST, prefix, opts.TestMode)
	}
	if err == nil && len(d.Samples) == 0 {
		err = errors.New("it has no images")
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", d.Type, err)
	}
	// Names in the config win over those that come with the data.
	names, err := classNames(test, opts.Classes)
	if names != nil {
		d.Classes = names
	}
	return err
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
