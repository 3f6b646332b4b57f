package dataset

import (
	"context"
	"crypto/md5"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"repvgg/internal/infile"
	"repvgg/internal/python/pickle"
)

// maxBatch bounds the size of a CIFAR file. The largest, CIFAR-100's train, has 155
// MB.
const maxBatch = 256 << 20

// cifarSide is the height and width of the images.
const cifarSide = 32

// fileSum is the name of a file and its MD5.
type fileSum struct{ name, md5 string }

// cifarFiles describes the files of CIFAR-10 or CIFAR-100: Python pickles, each
// with a dict of arrays.
type cifarFiles struct {
	folder      string // below data_prefix
	url         string // of the archive of the folder
	train, test []fileSum
	meta        fileSum // has the class names
	labels      string  // the key of the labels
	names       string  // the key of the names
	classes     []string
}

// cifar100Classes are the names of CIFAR-100's classes, one per line.
//
//go:embed cifar100_classes.txt
var cifar100Classes string

var (
	cifar10 = cifarFiles{
		folder: "cifar-10-batches-py",
		url:    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
		train: []fileSum{
			{"data_batch_1", "c99cafc152244af753f735de768cd75f"},
			{"data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"},
			{"data_batch_3", "54ebc095f3ab1f0389bbae665268c751"},
			{"data_batch_4", "634d18415352ddfa80567beed471001a"},
			{"data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"},
		},
		test:    []fileSum{{"test_batch", "40351d587109b95175f43aff81a1287e"}},
		meta:    fileSum{"batches.meta", "5ff9c542aee3614f3951f8cda6e48888"},
		labels:  "labels",
		names:   "label_names",
		classes: []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
	}
	cifar100 = cifarFiles{
		folder:  "cifar-100-python",
		url:     "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
		train:   []fileSum{{"train", "16019d7e3df5f24257cddd939b257f8d"}},
		test:    []fileSum{{"test", "f0ef6b0ae62326f3e7ffdfab6717acfc"}},
		meta:    fileSum{"meta", "7973b15100ade9c7d40fb424638fde48"},
		labels:  "fine_labels",
		names:   "fine_label_names",
		classes: strings.Fields(cifar100Classes),
	}
)

// readCIFAR reads the test batch or the train batches. The names of the classes
// are those of the meta file if it is there.
func (d *Dataset) readCIFAR(ctx context.Context, files cifarFiles, prefix string, test bool) error {
	batches := files.train
	if test {
		batches = files.test
	}
	for _, batch := range batches {
		entry, err := d.loadPickle(ctx, files, prefix, batch)
		if err == nil {
			err = d.addBatch(files, path.Join(files.folder, batch.name), prefix, entry)
		}
		if err != nil {
			return files.explain(prefix, batch, err)
		}
	}
	d.Classes = files.classes
	meta, err := d.loadPickle(ctx, files, prefix, files.meta)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		d.Classes, err = texts(meta[files.names])
	}
	if err != nil {
		return files.explain(prefix, files.meta, err)
	}
	return nil
}

func (f cifarFiles) explain(prefix string, file fileSum, err error) error {
	name := join(prefix, path.Join(f.folder, file.name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%q does not exist: unpack %s in data_prefix %q, or set data_prefix to the folder that contains %s", name, f.url, prefix, f.folder)
	}
	return fmt.Errorf("file %q: %w", name, err)
}

// errSum is the error for a file that differs from the published one.
type errSum struct{ got, want, url string }

func (e errSum) Error() string {
	return fmt.Sprintf("its MD5 is %s, but the published file's is %s: the file is damaged or a different one; unpack %s again", e.got, e.want, e.url)
}

// loadPickle checks the sum of a pickled dict and reads it.
func (d *Dataset) loadPickle(ctx context.Context, f cifarFiles, prefix string, file fileSum) (map[string]any, error) {
	name := join(prefix, path.Join(f.folder, file.name))
	r, err := infile.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	d.Files = append(d.Files, File{"data set", name})
	sum := md5.New()
	if _, err := io.Copy(sum, io.LimitReader(r, maxBatch+1)); err != nil {
		return nil, err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != file.md5 {
		return nil, errSum{got, file.md5, f.url}
	}
	return readEntry(r, r.Size())
}

// readEntry reads a pickled dict with string keys, and the arrays in it.
func readEntry(r io.ReaderAt, size int64) (map[string]any, error) {
	p, err := pickle.Load(r, 0, min(size, maxBatch), pickle.Options{})
	if err != nil {
		return nil, err
	}
	dict, ok := p.Value.(*pickle.Dict)
	if !ok {
		return nil, errors.New("it does not hold a dict")
	}
	entry := make(map[string]any, len(dict.Entries))
	for key, v := range dict.All() {
		if a, ok := v.(*pickle.Array); ok {
			if v, err = readArray(a, r); err != nil {
				return nil, err
			}
		}
		entry[key] = v
	}
	return entry, nil
}

// addBatch appends the images of one file. Each row has 1024 bytes of red, then
// green, then blue.
func (d *Dataset) addBatch(files cifarFiles, name, prefix string, entry map[string]any) error {
	const area = cifarSide * cifarSide
	data, ok := entry["data"].(*ndarray)
	if !ok || len(data.shape) != 2 || data.shape[1] != 3*area {
		return fmt.Errorf("its dict has no array \"data\" of rows of %d bytes", 3*area)
	}
	labels, ok := entry[files.labels].(*pickle.List)
	if !ok || len(labels.Items) != data.shape[0] {
		return fmt.Errorf("its dict has no list %q of %d labels, one for each image", files.labels, data.shape[0])
	}
	arrays := make([]Array, data.shape[0])
	pix := make([]byte, len(data.data))
	d.Samples = slices.Grow(d.Samples, len(arrays))
	for i := range arrays {
		label, ok := labels.Items[i].(int64)
		if !ok {
			return fmt.Errorf("label %d is not an integer", i)
		}
		planes := data.data[3*area*i:][:3*area]
		out := pix[3*area*i:][: 3*area : 3*area]
		for p := range area {
			out[3*p], out[3*p+1], out[3*p+2] = planes[p], planes[area+p], planes[2*area+p]
		}
		arrays[i] = Array{cifarSide, cifarSide, 3, out}
		d.addArray(name, prefix, i, int(label), &arrays[i])
	}
	return nil
}

func (d *Dataset) addArray(file, prefix string, i, label int, a *Array) {
	name := fmt.Sprintf("%s[%d]", file, i)
	d.Samples = append(d.Samples, Sample{Name: name, Path: join(prefix, name), Label: label, Array: a})
}

// texts returns the strings of a list.
func texts(v any) ([]string, error) {
	list, ok := v.(*pickle.List)
	if !ok {
		return nil, errors.New("its dict has no list of class names")
	}
	names := make([]string, len(list.Items))
	for i := range names {
		switch name := list.Items[i].(type) {
		case string:
			names[i] = name
		case pickle.Bytes:
			names[i] = string(name)
		default:
			return nil, fmt.Errorf("class name %d is not text", i)
		}
	}
	return names, nil
}
