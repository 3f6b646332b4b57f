package checkpoint

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"repvgg/internal/atomicfile"
	"repvgg/internal/tensor"
)

// Writer writes a state dict of float32 tensors in torch's zip format. The same
// tensors give the same bytes. The file appears under its name only with
// Commit.
type Writer struct {
	path  string
	tmp   *atomicfile.File
	out   *countingWriter
	zip   *zip.Writer
	specs []tensor.Spec

	next  int // the tensor that Write fills
	left  int // of its elements
	entry io.Writer
	// entrySize is the number of bytes written to entry.
	entrySize int64
	buf       []byte
	// flushing is how much of the file is on its way to the disk.
	flushing int64
}

// archiveRoot is the folder that all entries stand in. torch takes the file's
// name; a constant keeps the bytes the same whatever the file is called.
const archiveRoot = "archive/"

// alignment of each entry's data in the file, so that torch.load(mmap=True) can
// map it in place.
const alignment = 64

// writeback is how many bytes at a time start on their way to the disk.
const writeback = 16 << 20

// Create starts the file that will become path, beside it under a temporary
// name; the parent folders are made. It must be ended by Finish and Commit, or
// by Abort. specs are the tensors in order, modules
// the paths of the network's modules for _metadata.
func Create(path string, specs []tensor.Spec, modules []string) (*Writer, error) {
	tmp, err := atomicfile.Create(path)
	if err != nil {
		return nil, fmt.Errorf("writing checkpoint %q: %w", path, err)
	}
	out := &countingWriter{w: tmp}
	w := &Writer{path: path, tmp: tmp, out: out, zip: zip.NewWriter(out), specs: specs, next: -1, buf: make([]byte, chunk)}
	if err := w.begin(modules); err != nil {
		w.Abort()
		return nil, fmt.Errorf("writing checkpoint %q: %w", path, err)
	}
	return w, nil
}

func (w *Writer) begin(modules []string) error {
	if err := w.create("data.pkl"); err != nil {
		return err
	}
	if _, err := w.entry.Write(stateDict(w.specs, modules)); err != nil {
		return err
	}
	return w.nextTensor()
}

// create starts an entry whose data is aligned.
func (w *Writer) create(name string) error {
	if err := w.zip.Flush(); err != nil {
		return err
	}
	h := &zip.FileHeader{Name: archiveRoot + name, Method: zip.Store}
	// Bytes of the .ZIP File Format Specification, sections 4.3.7, 4.5.1, 4.3.9.
	// The descriptor, which follows the previous entry, is written only now.
	const localHeader, extraHeader, descriptor, descriptor64 = 30, 4, 16, 24
	at := w.out.n + localHeader + int64(len(h.Name)) + extraHeader
	switch {
	case w.entry == nil:
	case w.entrySize >= math.MaxUint32:
		at += descriptor64
	default:
		at += descriptor
	}
	w.entrySize = 0
	padding := int((alignment - at%alignment) % alignment)
	// An extra field of torch's kind, "FB", filled as torch fills it.
	h.Extra = append([]byte{'F', 'B', byte(padding), 0}, strings.Repeat("Z", padding)...)
	var err error
	w.entry, err = w.zip.CreateHeader(h)
	return err
}

// nextTensor starts the next tensor that has elements.
func (w *Writer) nextTensor() error {
	for w.left == 0 && w.next+1 < len(w.specs) {
		w.next++
		w.left = w.specs[w.next].Numel()
		if err := w.create("data/" + strconv.Itoa(w.next)); err != nil {
			return err
		}
	}
	return nil
}

// Write appends values to the tensors, one after the other in the order of
// specs, each dense and row-major. A call fills at most one tensor's end.
func (w *Writer) Write(values []float32) error {
	if err := w.write(values); err != nil {
		return fmt.Errorf("writing checkpoint %q: %w", w.path, err)
	}
	return nil
}

func (w *Writer) write(values []float32) error {
	if len(values) > w.left {
		return fmt.Errorf("tensor %q: %d values too many", w.specs[w.next].Name, len(values)-w.left)
	}
	for len(values) > 0 {
		n := min(len(values), len(w.buf)/4)
		b, inPlace := asBytes(values[:n])
		if !inPlace {
			b = w.buf[:0]
			for _, v := range values[:n] {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			}
		}
		if _, err := w.entry.Write(b); err != nil {
			return err
		}
		w.entrySize += int64(len(b))
		values, w.left = values[n:], w.left-n
	}
	if w.out.n-w.flushing >= writeback {
		startWriteback(w.tmp.File, w.flushing, w.out.n)
		w.flushing = w.out.n
	}
	return w.nextTensor()
}

// Finish completes the file and forces it to the disk, still under its
// temporary name, which it returns: the place to check what was written before
// Commit.
func (w *Writer) Finish() (tmp string, err error) {
	if err := w.finish(); err != nil {
		return "", fmt.Errorf("writing checkpoint %q: %w", w.path, err)
	}
	return w.tmp.Name(), nil
}

func (w *Writer) finish() error {
	if w.left > 0 || w.next+1 < len(w.specs) {
		return fmt.Errorf("tensor %q is not complete", w.specs[w.next].Name)
	}
	if err := w.create("version"); err != nil {
		return err
	}
	if _, err := io.WriteString(w.entry, "3\n"); err != nil {
		return err
	}
	if err := w.zip.Close(); err != nil {
		return err
	}
	return w.tmp.Finish()
}

// Commit gives the finished file its name.
func (w *Writer) Commit() error {
	if err := w.tmp.Commit(); err != nil {
		return fmt.Errorf("writing checkpoint %q: %w", w.path, err)
	}
	return nil
}

// Abort removes the unfinished file. After Commit it does nothing.
func (w *Writer) Abort() { w.tmp.Abort() }

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
