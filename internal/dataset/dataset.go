package dataset

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// A Source says what images there are and where.
type Source struct {
	Type string // one of Types
	// Prefix is the folder of the images or of the arrays' files. A leading ~ is the
	// home folder, in AnnFile and ClassFile too.
	Prefix string
	// AnnFile lists images that are files, and their labels. If it is empty they are
	// those in the folders below Prefix, which are the classes.
	AnnFile string
	// Classes are the names of the classes; nil: those that ClassFile has, a name a
	// line, or those that come with the data.
	Classes   []string
	ClassFile string
	// Extensions are the suffixes of images in folders; nil: the usual ones.
	Extensions []string
	// Train takes the train split of data sets of arrays in place of the test split.
	Train bool
}

// A SourceError is what is wrong with a source, or with what is there.
type SourceError struct {
	// Field is the name of the source's field that is wrong, or leads there.
	Field string
	Err   error
}

func (e *SourceError) Error() string { return e.Err.Error() }
func (e *SourceError) Unwrap() error { return e.Err }

// about makes an error one about a field, unless it is one about another.
func about(field string, err error) error {
	var known *SourceError
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &SourceError{field, err}
}

// Open lists the samples of a source, and reads them where they are arrays.
// Nothing is downloaded. An error is a *SourceError.
func Open(s Source) (*Dataset, error) {
	d := &Dataset{Type: s.Type}
	var err error
	if s.Prefix, err = expandUser(s.Prefix); err != nil {
		return nil, about("Prefix", err)
	}
	if s.Classes == nil && s.ClassFile != "" {
		if s.Classes, err = readClasses(s.ClassFile); err != nil {
			return nil, about("ClassFile", err)
		}
	}
	switch s.Type {
	case "CustomDataset", "ImageNet", "ImageNet21k":
		err = d.readFiles(s)
	case "CIFAR10", "CIFAR100", "MNIST", "FashionMNIST":
		err = about("Prefix", d.readArrays(s))
	default:
		err = about("Type", fmt.Errorf("data set %q is not one of %v", s.Type, Types))
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// readFiles lists images that are files.
func (d *Dataset) readFiles(s Source) error {
	d.Classes = s.Classes
	if d.Classes == nil && s.Type == "ImageNet" {
		d.Classes = ImageNetClasses()
	}
	if s.AnnFile != "" {
		var err error
		if d.AnnFile, err = expandUser(s.AnnFile); err == nil {
			err = d.readAnnFile(d.AnnFile, s.Prefix)
		}
		return about("AnnFile", err)
	}
	if s.Extensions == nil {
		s.Extensions = defaultExtensions
	}
	return about("Prefix", d.scan(s.Prefix, s.Extensions))
}

// readArrays reads a data set that is a few files of arrays.
func (d *Dataset) readArrays(s Source) error {
	if s.AnnFile != "" {
		d.Warnings = append(d.Warnings, fmt.Sprintf("data set %s has its labels with its images: ann_file %s is not read", s.Type, s.AnnFile))
	}
	var err error
	switch s.Type {
	case "CIFAR10":
		err = d.readCIFAR(cifar10, s.Prefix, !s.Train)
	case "CIFAR100":
		err = d.readCIFAR(cifar100, s.Prefix, !s.Train)
	case "MNIST":
		err = d.readMNIST(mnist, s.Prefix, !s.Train)
	case "FashionMNIST":
		err = d.readMNIST(fashionMNIST, s.Prefix, !s.Train)
	}
	if err == nil && len(d.Samples) == 0 {
		err = errors.New("it has no images")
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", s.Type, err)
	}
	if s.Classes != nil { // they win over those that come with the data
		d.Classes = s.Classes
	}
	return nil
}

// readClasses reads names of classes, one a line.
func readClasses(path string) ([]string, error) {
	path, err := expandUser(path)
	if err != nil {
		return nil, err
	}
	names := []string{}
	err = eachLine(path, func(_ int, line string) error {
		names = append(names, strings.TrimRight(line, "\r\n"))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading class names: %w", err)
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
