package checkpoint

import (
	"archive/zip"
	"io"
	"math"
	"strconv"
	"strings"

	"repvgg/internal/tensor"
)

// archiveRoot is the folder that all entries stand in. torch takes the file's
// name; a constant keeps the bytes the same whatever the file is called.
const archiveRoot = "archive/"

// alignment of each entry's data in the file, so that torch.load(mmap=True) can
// map it in place.
const alignment = 64

// zipFormat is torch's zip format.
type zipFormat struct {
	out     *countingWriter
	zip     *zip.Writer
	modules []string
	// data is where that of the last entry begins; 0 before the first.
	data int64
}

func newZipFormat(out *countingWriter, modules []string) *zipFormat {
	return &zipFormat{out: out, zip: zip.NewWriter(out), modules: modules}
}

func (z *zipFormat) begin(specs []tensor.Spec) error {
	return z.entry("data.pkl", stateDict(specs, z.modules))
}

func (z *zipFormat) start(i int) (io.Writer, error) { return z.create("data/" + strconv.Itoa(i)) }

func (z *zipFormat) end() error {
	if err := z.entry("version", []byte("3\n")); err != nil {
		return err
	}
	return z.zip.Close()
}

func (z *zipFormat) entry(name string, data []byte) error {
	w, err := z.create(name)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// create starts an entry whose data is aligned.
func (z *zipFormat) create(name string) (io.Writer, error) {
	if err := z.zip.Flush(); err != nil {
		return nil, err
	}
	h := &zip.FileHeader{Name: archiveRoot + name, Method: zip.Store}
	// Bytes of the .ZIP File Format Specification, sections 4.3.7, 4.5.1, 4.3.9.
	// The descriptor, which follows the previous entry, is written only now.
	const localHeader, extraHeader, descriptor, descriptor64 = 30, 4, 16, 24
	at := z.out.n + localHeader + int64(len(h.Name)) + extraHeader
	switch {
	case z.data == 0:
	case z.out.n-z.data >= math.MaxUint32:
		at += descriptor64
	default:
		at += descriptor
	}
	padding := int((alignment - at%alignment) % alignment)
	// An extra field of torch's kind, "FB", filled as torch fills it.
	h.Extra = append([]byte{'F', 'B', byte(padding), 0}, strings.Repeat("Z", padding)...)
	z.data = at + int64(padding)
	return z.zip.CreateHeader(h)
}
