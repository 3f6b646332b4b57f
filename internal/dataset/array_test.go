package dataset

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const fixtures = "../../testdata/datasets"

// wantSet is what make.py wrote to a data set.
type wantSet struct {
	Images  string
	Labels  []int
	Classes []string
}

func checkSet(t *testing.T, d *Dataset, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected struct{ Sets map[string]wantSet }
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	want, ok := expected.Sets[name]
	if !ok {
		t.Fatalf("expected.json lacks %q", name)
	}
	h := sha256.New()
	var labels []int
	for _, s := range d.Samples {
		h.Write(s.Array.Pix)
		labels = append(labels, s.Label)
		if len(s.Array.Pix) != s.Array.Height*s.Array.Width*s.Array.Channels || s.Array.Channels != d.Channels() {
			t.Errorf("%s: %d bytes of %dx%dx%d", s.Name, len(s.Array.Pix), s.Array.Height, s.Array.Width, s.Array.Channels)
		}
	}
	if diff := cmp.Diff(want.Labels, labels); diff != "" {
		t.Error(diff)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want.Images {
		t.Error("images differ")
	}
	if want.Classes != nil {
		if diff := cmp.Diff(want.Classes, d.Classes); diff != "" {
			t.Error(diff)
		}
	}
}

// ofFixtures replaces the checksums in the description of a CIFAR data set with
// those of the fixtures.
func ofFixtures(t *testing.T, files cifarFiles, root string) cifarFiles {
	t.Helper()
	sum := func(list []fileSum) []fileSum {
		list = slices.Clone(list)
		for i, f := range list {
			data, err := os.ReadFile(filepath.Join(root, files.folder, f.name))
			if err == nil {
				s := md5.Sum(data)
				list[i].md5 = hex.EncodeToString(s[:])
			}
		}
		return list
	}
	files.train, files.test = sum(files.train), sum(files.test)
	files.meta = sum([]fileSum{files.meta})[0]
	return files
}

func TestCIFAR(t *testing.T) {
	for _, c := range []struct {
		name  string
		files cifarFiles
		test  bool
	}{
		{"CIFAR10 test", cifar10, true},
		{"CIFAR10 train", cifar10, false},
		{"CIFAR100 test", cifar100, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Dataset
			if err := d.readCIFAR(t.Context(), ofFixtures(t, c.files, fixtures), fixtures, c.test); err != nil {
				t.Fatal(err)
			}
			checkSet(t, &d, c.name)
		})
	}
	// Without a meta file, the built-in names are used.
	if len(cifar100.classes) != 100 || cifar100.classes[0] != "apple" || cifar100.classes[99] != "worm" {
		t.Errorf("CIFAR-100's classes: %q", cifar100.classes)
	}
}

func TestCIFARSample(t *testing.T) {
	var d Dataset
	if err := d.readCIFAR(t.Context(), ofFixtures(t, cifar10, fixtures), fixtures, true); err != nil {
		t.Fatal(err)
	}
	s := d.Samples[3]
	if s.Name != "cifar-10-batches-py/test_batch[3]" || s.Path != fixtures+"/"+s.Name {
		t.Errorf("%q at %q", s.Name, s.Path)
	}
}

func TestCIFARErrors(t *testing.T) {
	root := t.TempDir()
	source := Source{Type: "CIFAR10", Prefix: root}
	wantError(t, source, "Prefix", `reading CIFAR10: "`+root+`/cifar-10-batches-py/test_batch" does not exist: unpack https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz in data_prefix "`+root+`"`)
	source.Train = true
	wantError(t, source, "Prefix", "data_batch_1")
	wantError(t, Source{Type: "CIFAR100", Prefix: root}, "Prefix", "cifar-100-python/test")
	// The fixtures differ from the published files.
	wantError(t, Source{Type: "CIFAR10", Prefix: fixtures}, "Prefix", "but the published file's is 40351d587109b95175f43aff81a1287e: the file is damaged or a different one")

	folder := filepath.Join(root, cifar10.folder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(fixtures, cifar10.folder, "test_batch"))
	if err != nil {
		t.Fatal(err)
	}
	replace := func(from, to string) string {
		if strings.Count(string(good), from) == 0 {
			t.Fatalf("the fixture lacks %q", from)
		}
		return strings.ReplaceAll(string(good), from, to)
	}
	for name, c := range map[string]struct{ data, want string }{
		"empty":     {"", "ends inside its pickled structure"},
		"truncated": {string(good[:len(good)/2]), "truncated"},
		"text":      {"xyz", "unknown opcode"},
		"list":      {"\x80\x02].", "does not hold a dict"},
		"command":   {"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.", "does not hold a dict"},
		"key":       {replace("data", "tada"), `no array "data" of rows of 3072 bytes`},
		"labels":    {replace("labels", "lables"), `no list "labels" of 5 labels`},
		"float":     {replace("u1", "f4"), "its array are not bytes"},
		"shape":     {replace("J\x05\x00\x00\x00J\x00\x0c", "J\x04\x00\x00\x00J\x00\x0c"), "has 15360 bytes"},
		"huge":      {replace("J\x05\x00\x00\x00J\x00\x0c", "J\xff\xff\xff\x7fJ\x00\x0c"), "has a dimension that"},
		"negative":  {replace("J\x05\x00\x00\x00J\x00\x0c", "J\xff\xff\xff\xffJ\x00\x0c"), "has a side that is negative, too large or no number"},
		"encoding":  {"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00utf8\x86R.", "does not hold a dict"},
	} {
		if err := os.WriteFile(filepath.Join(folder, "test_batch"), []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		var d Dataset
		err := d.readCIFAR(t.Context(), ofFixtures(t, cifar10, root), root, true)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `file "`+folder) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestMNIST(t *testing.T) {
	d := mustOpen(t, Source{Type: "MNIST", Prefix: fixtures + "/mnist"})
	checkSet(t, d, "MNIST test")
	if d.Channels() != 1 || len(d.Warnings) != 0 || d.Classes[9] != "9 - nine" || d.Samples[2].Name != "t10k-images-idx3-ubyte[2]" {
		t.Errorf("%d channels, warnings %q, classes %q, %+v", d.Channels(), d.Warnings, d.Classes, d.Samples[2])
	}
	d = mustOpen(t, Source{Type: "FashionMNIST", Prefix: fixtures + "/fashion", Train: true, Classes: []string{"a", "b"}, AnnFile: "x"})
	checkSet(t, d, "FashionMNIST train")
	if diff := cmp.Diff([]string{"a", "b"}, d.Classes); diff != "" {
		t.Error(diff)
	}
	if len(d.Warnings) != 3 || !strings.Contains(d.Warnings[0], "ann_file x is not read") || !strings.Contains(d.Warnings[1], "is not the published one") {
		t.Errorf("warnings %q", d.Warnings)
	}
}

func compress(t *testing.T, data string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// idx returns an array of bytes with the given shape, in the idx format.
func idx(data string, shape ...uint32) string {
	b := []byte{0, 0, 8, byte(len(shape))}
	for _, n := range shape {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return string(b) + data
}

func TestMNISTErrors(t *testing.T) {
	labels := idx("\x01\x02", 2)
	images := idx("abcdefghijkl", 2, 3, 2)
	for name, c := range map[string]struct{ images, labels, want string }{
		"no images": {"", labels, `nor`},
		"no labels": {images, "", `labels-idx1-ubyte.gz" exists: put the file of that name from http://yann.lecun.com/exdb/mnist/ into data_prefix`},
		"short":     {images[:15], labels, "it ends inside its header"},
		"magic":     {"\x01" + images[1:], labels, "it is not an idx file"},
		"gzip":      {compress(t, images), labels, "it begins with 1f 8b 08 00: it is not an idx file"},
		"axes":      {labels, labels, "1 axes and element type 8, want 3 axes"},
		"type":      {strings.Replace(images, "\x08", "\x0d", 1), labels, "element type 13"},
		"empty":     {idx("", 0, 3, 2), labels, "its array is empty"},
		"huge":      {idx("", 1<<31, 1<<31, 1<<31), labels, "its header gives a size of more than"},
		"cut":       {images[:len(images)-1], labels, "it has 27 bytes, but its header gives 28"},
		"long":      {images + "x", labels, "it has 29 bytes"},
		"count":     {images, idx("\x01", 1), "has 2 images, but"},
	} {
		root := t.TempDir()
		for file, text := range map[string]string{"t10k-images-idx3-ubyte": c.images, "t10k-labels-idx1-ubyte": c.labels} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Run(name, func(t *testing.T) { wantError(t, Source{Type: "MNIST", Prefix: root}, "Prefix", c.want) })
	}
}

func TestMNISTGzipErrors(t *testing.T) {
	images := compress(t, idx("abcdefghijkl", 2, 3, 2))
	damaged := []byte(images)
	damaged[len(damaged)-6] ^= 1 // in the checksum
	for name, c := range map[string]struct{ data, want string }{
		"plain":   {idx("abcdefghijkl", 2, 3, 2), "it is damaged"},
		"cut":     {images[:len(images)-9], "unexpected EOF"},
		"sum":     {string(damaged), "invalid checksum"},
		"short":   {compress(t, idx("abcdef", 2, 3, 2)), "does not end at the end of the file"},
		"long":    {compress(t, idx("abcdefghijklm", 2, 3, 2)), "does not end at the end of the file"},
		"promise": {compress(t, idx("abc", 1<<10, 1<<10, 1<<10)), "does not end at the end of the file"},
	} {
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, "t10k-images-idx3-ubyte.gz"), []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { wantError(t, Source{Type: "MNIST", Prefix: root}, "Prefix", c.want) })
	}
}

// FuzzCIFAR reads damaged pickles. They may not cause a crash or a hang.
func FuzzCIFAR(f *testing.F) {
	for _, name := range []string{"cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/data_batch_2", "cifar-10-batches-py/batches.meta", "cifar-100-python/test"} {
		data, err := os.ReadFile(filepath.Join(fixtures, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entry, err := readEntry(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		var d Dataset
		if err := d.addBatch(cifar10, "x", "", entry); err == nil {
			for _, s := range d.Samples {
				if len(s.Array.Pix) != 3072 {
					t.Fatalf("an image of %d bytes", len(s.Array.Pix))
				}
			}
		}
		_, _ = texts(entry["label_names"])
	})
}

// FuzzIDX reads damaged idx files.
func FuzzIDX(f *testing.F) {
	f.Add([]byte(idx("abcdefghijkl", 2, 3, 2)), true)
	f.Add([]byte(idx("ab", 2)), false)
	f.Fuzz(func(t *testing.T, data []byte, sized bool) {
		size := int64(-1)
		if sized {
			size = int64(len(data))
		}
		shape, pix, err := readIDX(bytes.NewReader(data), 3, size)
		if err == nil && (len(shape) != 3 || len(pix) != shape[0]*shape[1]*shape[2]) {
			t.Fatalf("%d bytes of shape %v", len(pix), shape)
		}
	})
}
