package checkpoint

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"repvgg/internal/atomicfile"
	"repvgg/internal/tensor"
)

// Writer writes a state dict of float32 tensors, in torch's zip format or as
// safetensors. The same tensors give the same bytes. The file appears under its
// name only with Commit.
type Writer struct {
	path   string
	tmp    *atomicfile.File
	out    *countingWriter
	format format
	specs  []tensor.Spec

	next  int // the tensor that Write fills
	left  int // of its elements
	entry io.Writer
	buf   []byte
	// flushing is how much of the file is on its way to the disk.
	flushing int64
}

// format is what a file has around its tensors.
type format interface {
	// begin writes what stands before them.
	begin(specs []tensor.Spec) error
	// start starts tensor i and gives where its bytes go.
	start(i int) (io.Writer, error)
	// end writes what stands behind them.
	end() error
}

// safetensorsSuffix of a path makes Create write a safetensors file.
const safetensorsSuffix = ".safetensors"

// Suffixes of the paths that Create is for: of torch's zip format and of
// safetensors.
var Suffixes = []string{".pth", safetensorsSuffix}

// writeback is how many bytes at a time start on their way to the disk.
const writeback = 16 << 20

// Create starts the file that will become path, beside it under a temporary
// name; the parent folders are made. It must be ended by Finish and Commit, or
// by Abort. specs are the tensors in order; modules, which safetensors has no
// place for, are the paths of the network's modules for _metadata.
func Create(path string, specs []tensor.Spec, modules []string) (*Writer, error) {
	tmp, err := atomicfile.Create(path)
	if err != nil {
		return nil, fmt.Errorf("writing checkpoint %q: %w", path, err)
	}
	w := &Writer{path: path, tmp: tmp, out: &countingWriter{w: tmp}, specs: specs, next: -1, buf: make([]byte, chunk)}
	if filepath.Ext(path) == safetensorsSuffix {
		w.format = &safetensorsFormat{out: w.out}
	} else {
		w.format = newZipFormat(w.out, modules)
	}
	err = w.format.begin(specs)
	if err == nil {
		err = w.nextTensor()
	}
	if err != nil {
		w.Abort()
		return nil, fmt.Errorf("writing checkpoint %q: %w", path, err)
	}
	return w, nil
}

// nextTensor starts the next tensor that has elements.
func (w *Writer) nextTensor() error {
	for w.left == 0 && w.next+1 < len(w.specs) {
		w.next++
		w.left = w.specs[w.next].Numel()
		var err error
		if w.entry, err = w.format.start(w.next); err != nil {
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
	if err := w.format.end(); err != nil {
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
