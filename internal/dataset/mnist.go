package dataset

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"repvgg/internal/infile"
)

// mnistFiles describes the files of MNIST, or of a data set in its format: the
// images and the labels of each split. The checksums are those of the compressed
// files.
type mnistFiles struct {
	url         string // of the folder of the files
	train, test mnistSplit
	classes     []string
}

type mnistSplit struct{ images, labels fileSum }

var (
	mnist = mnistFiles{
		url: "http://yann.lecun.com/exdb/mnist/",
		train: mnistSplit{
			fileSum{"train-images-idx3-ubyte", "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
			fileSum{"train-labels-idx1-ubyte", "d53e105ee54ea40749a09fcbcd1e9432"},
		},
		test: mnistSplit{
			fileSum{"t10k-images-idx3-ubyte", "9fb629c4189551a2d022fa330f9573f3"},
			fileSum{"t10k-labels-idx1-ubyte", "ec29112dd5afa0611ce80d1b7f02629c"},
		},
		classes: []string{"0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
			"5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine"},
	}
	fashionMNIST = mnistFiles{
		url: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
		train: mnistSplit{
			fileSum{"train-images-idx3-ubyte", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
			fileSum{"train-labels-idx1-ubyte", "25c81989df183df01b3e8a0aad5dffbe"},
		},
		test: mnistSplit{
			fileSum{"t10k-images-idx3-ubyte", "bef4ecab320f06d8554ea6380940ec79"},
			fileSum{"t10k-labels-idx1-ubyte", "bb300cfdad3c16e7a12a480ee83cd310"},
		},
		classes: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
			"Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
	}
)

// readMNIST reads the images and labels of the test or the train split. Each
// file is taken as it is or, if only that is there, compressed (.gz).
func (d *Dataset) readMNIST(ctx context.Context, files mnistFiles, prefix string, test bool) error {
	split := files.train
	if test {
		split = files.test
	}
	shape, pix, err := d.mnistFile(ctx, files, prefix, split.images, 3)
	if err != nil {
		return err
	}
	labelShape, labels, err := d.mnistFile(ctx, files, prefix, split.labels, 1)
	if err != nil {
		return err
	}
	n, height, width := shape[0], shape[1], shape[2]
	if labelShape[0] != n {
		return fmt.Errorf("file %q has %d images, but %q has %d labels",
			join(prefix, split.images.name), n, join(prefix, split.labels.name), labelShape[0])
	}
	d.Classes = files.classes
	d.Samples = slices.Grow(d.Samples, n)
	arrays := make([]Array, n)
	for i := range arrays {
		arrays[i] = Array{height, width, 1, pix[i*height*width:][: height*width : height*width]}
		d.addArray(split.images.name, prefix, i, int(labels[i]), &arrays[i])
	}
	return nil
}

// mnistFile reads one file.
func (d *Dataset) mnistFile(ctx context.Context, files mnistFiles, prefix string, file fileSum, axes int) ([]int, []byte, error) {
	path := join(prefix, file.name)
	r, err := infile.Open(ctx, path)
	compressed := errors.Is(err, fs.ErrNotExist)
	if compressed {
		r, err = infile.Open(ctx, path+".gz")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("neither %q nor %q exists: put the file of that name from %s into data_prefix %q",
			path, path+".gz", files.url, prefix)
	}
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	if compressed {
		d.Files = append(d.Files, File{"data set", path + ".gz"})
		return d.mnistGzip(r, path+".gz", file, axes)
	}
	d.Files = append(d.Files, File{"data set", path})
	shape, data, err := readIDX(r, axes, r.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("file %q: %w", path, err)
	}
	return shape, data, nil
}

// mnistGzip reads a compressed file. It warns if the checksum differs from the
// published file's: the original would download the published file instead.
func (d *Dataset) mnistGzip(r io.Reader, path string, file fileSum, axes int) ([]int, []byte, error) {
	sum := md5.New()
	all := bufio.NewReader(io.TeeReader(r, sum))
	z, err := gzip.NewReader(all)
	if err != nil {
		return nil, nil, fmt.Errorf("file %q: %w: it is damaged", path, err)
	}
	shape, data, err := readIDX(z, axes, -1)
	if err != nil {
		return nil, nil, fmt.Errorf("file %q: %w", path, err)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(all, maxIDX)); err != nil {
		return nil, nil, fmt.Errorf("file %q: %w", path, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != file.md5 {
		d.Warnings = append(d.Warnings, fmt.Sprintf("file %q is not the published one: its MD5 is %s, not %s", path, got, file.md5))
	}
	return shape, data, nil
}
