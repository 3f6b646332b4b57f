package dataset

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Types are the supported types of data sets, by MMClassification's names.
var Types = []string{"CustomDataset", "ImageNet", "ImageNet21k", "CIFAR10", "CIFAR100", "MNIST", "FashionMNIST"}

// Dataset is a list of images to evaluate, in the order of evaluation.
type Dataset struct {
	Type    string   // one of Types
	AnnFile string   // the file that lists the images, or empty
	Classes []string // the class names by label; nil if unknown
	Samples []Sample
	// Warnings are for the user, one line each.
	Warnings []string
	// Prefix is the folder of the images, Scanned whether all that lies in it is the
	// data set, its folders the classes. Files are the files that were read.
	Prefix  string
	Scanned bool
	Files   []File

	empty []string // folders of a scanned data set that hold no image
}

// File is a file that a data set was read from, and what it is to the data set.
type File struct{ What, Path string }

// Sample is one image.
type Sample struct {
	// Name identifies the image: its path relative to data_prefix or, for an array, its
	// file and its index there (t10k-images-idx3-ubyte[17]).
	Name  string
	Path  string // data_prefix joined with Name
	Label int    // the true class, from 0
	// Array is the image, if the data set holds images as arrays. It is nil if the
	// image is the file at Path.
	Array *Array
}

// Array is an 8-bit image. Pix has the rows from top to bottom without padding,
// with Channels bytes per pixel: len(Pix) == Height*Width*Channels. One channel is
// grey; three are red, green and blue.
type Array struct {
	Height, Width, Channels int
	Pix                     []byte
}

// Channels returns the number of channels of the images: 1 or 3. Files are read in
// colour.
func (d *Dataset) Channels() int {
	if len(d.Samples) > 0 && d.Samples[0].Array != nil {
		return d.Samples[0].Array.Channels
	}
	return 3
}

// defaultExtensions are the suffixes of images in class folders.
var defaultExtensions = []string{".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif"}

// imagenetClasses has the names of the ImageNet-1k classes, one per line, in the
// order of their WordNet ids and in MMClassification's spelling.
//
//go:embed imagenet_classes.txt
var imagenetClasses string

// ImageNetClasses returns the names of the 1000 classes of ImageNet-1k. The label
// of a class is its rank by WordNet id, which is also the order of the folders.
func ImageNetClasses() []string {
	return strings.Split(strings.TrimSuffix(imagenetClasses, "\n"), "\n")
}

// A Source describes a data set: its type, and the paths of its files.
type Source struct {
	Type string // one of Types
	// Prefix is the folder of the images or of the array files. A leading ~ is the home
	// folder, also in AnnFile and ClassFile.
	Prefix string
	// AnnFile lists the image files and their labels. If it is empty, the folders below
	// Prefix are the classes, and the files in them the images.
	AnnFile string
	// Classes are the class names. If it is nil, they come from ClassFile, which has
	// one name per line, or else from the data.
	Classes   []string
	ClassFile string
	// Extensions are the suffixes of images in class folders. nil means the default
	// ones.
	Extensions []string
	// Train uses the train split of an array data set instead of the test split.
	Train bool
}

// A SourceError is an error in a source, or in the files that it names.
type SourceError struct {
	// Field is the name of the field of Source that is wrong or names the file.
	Field string
	Err   error
}

func (e *SourceError) Error() string { return e.Err.Error() }
func (e *SourceError) Unwrap() error { return e.Err }

// about makes err a SourceError for a field, unless it already is a SourceError.
func about(field string, err error) error {
	var known *SourceError
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &SourceError{field, err}
}

// Open lists the samples of a source, and reads them where they are arrays.
// Nothing is downloaded. An error is a *SourceError.
func Open(ctx context.Context, s Source) (*Dataset, error) {
	d := &Dataset{Type: s.Type}
	var err error
	if s.Prefix, err = expandUser(s.Prefix); err != nil {
		return nil, about("Prefix", err)
	}
	d.Prefix = s.Prefix
	if s.Classes == nil && s.ClassFile != "" {
		if s.Classes, err = d.readClasses(ctx, s.ClassFile); err != nil {
			return nil, about("ClassFile", err)
		}
	}
	switch s.Type {
	case "CustomDataset", "ImageNet", "ImageNet21k":
		err = d.readFiles(ctx, s)
	case "CIFAR10", "CIFAR100", "MNIST", "FashionMNIST":
		err = about("Prefix", d.readArrays(ctx, s))
	default:
		err = about("Type", fmt.Errorf("data set %q is not one of %v", s.Type, Types))
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// readFiles lists images that are files.
func (d *Dataset) readFiles(ctx context.Context, s Source) error {
	d.Classes = s.Classes
	if d.Classes == nil && s.Type == "ImageNet" {
		d.Classes = ImageNetClasses()
	}
	if s.AnnFile != "" {
		var err error
		if d.AnnFile, err = expandUser(s.AnnFile); err == nil {
			d.Files = append(d.Files, File{"ann_file", d.AnnFile})
			err = d.readAnnFile(ctx, d.AnnFile, s.Prefix)
		}
		return about("AnnFile", err)
	}
	if s.Extensions == nil {
		s.Extensions = defaultExtensions
	}
	return about("Prefix", d.scan(ctx, s.Prefix, s.Extensions))
}

// readArrays reads a data set that is a few files of arrays.
func (d *Dataset) readArrays(ctx context.Context, s Source) error {
	if s.AnnFile != "" {
		d.Warnings = append(d.Warnings, fmt.Sprintf("data set %s has the labels in its own files: ann_file %s is not read", s.Type, s.AnnFile))
	}
	var err error
	switch s.Type {
	case "CIFAR10":
		err = d.readCIFAR(ctx, cifar10, s.Prefix, !s.Train)
	case "CIFAR100":
		err = d.readCIFAR(ctx, cifar100, s.Prefix, !s.Train)
	case "MNIST":
		err = d.readMNIST(ctx, mnist, s.Prefix, !s.Train)
	case "FashionMNIST":
		err = d.readMNIST(ctx, fashionMNIST, s.Prefix, !s.Train)
	}
	if err == nil && len(d.Samples) == 0 {
		err = errors.New("it has no images")
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", s.Type, err)
	}
	if s.Classes != nil { // they take precedence over those in the data
		d.Classes = s.Classes
	}
	return nil
}

// readClasses reads names of classes, one a line.
func (d *Dataset) readClasses(ctx context.Context, path string) ([]string, error) {
	path, err := expandUser(path)
	if err != nil {
		return nil, err
	}
	d.Files = append(d.Files, File{"file of class names", path})
	names := []string{}
	err = eachLine(ctx, path, func(_ int, line string) error {
		names = append(names, strings.TrimRight(line, "\r\n"))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading class names: %w", err)
	}
	return names, nil
}

// expandUser replaces a leading ~ with the home folder.
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

// join is Python's os.path.join: an absolute name is returned unchanged.
func join(prefix, name string) string {
	switch {
	case prefix == "" || filepath.IsAbs(name):
		return name
	case strings.HasSuffix(prefix, "/"):
		return prefix + name
	}
	return prefix + "/" + name
}
