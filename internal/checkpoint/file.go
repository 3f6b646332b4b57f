package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"repvgg/internal/pickle"
)

// File is an open checkpoint.
type File struct {
	// Path is the name it was opened by.
	Path string
	// Tensors are the state dict's, by name. The prefix "module." of a network
	// wrapped in DataParallel is taken off.
	Tensors map[string]*Tensor
	// Names are the tensors' names in the order of the file.
	Names []string
	// Averages counts the tensors of mmcv's EMAHook (ema_*), which are left out
	// as the original leaves them out.
	Averages int
	// Unreadable are the entries of the state dict that are no tensors of a type
	// that is read.
	Unreadable map[string]bool
	// Classes are the names of the classes that the training framework
	// recorded; nil if it did not.
	Classes []string

	f        *os.File
	storages []*storage
}

// Open reads the structure of a checkpoint: of a training run ({"state_dict":
// ...} or {"model": ...}) or a bare state dict.
func Open(path string) (*File, error) {
	// Looked at before it is opened: opening a pipe would wait for its writer.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading checkpoint %q: it is not a regular file", path)
	}
	if scheme, _, isURL := strings.Cut(path, "://"); isURL && !strings.Contains(scheme, "/") {
		return nil, fmt.Errorf("reading checkpoint %q: nothing is fetched from the network; download the file first and give its path", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint: %w", err)
	}
	c := &File{Path: path, f: f}
	if err := c.read(); err != nil {
		f.Close()
		return nil, fmt.Errorf("reading checkpoint %q: %w", path, err)
	}
	return c, nil
}

// Close closes the file. Its tensors can't be read any more.
func (c *File) Close() error { return c.f.Close() }

// Verify holds every storage of which something was read against the file's
// checksums. Call it before relying on what was read.
func (c *File) Verify() error {
	for _, s := range c.storages {
		if err := s.verify(); err != nil {
			return fmt.Errorf("reading checkpoint %q: %w", c.Path, err)
		}
	}
	return nil
}

// Float32 reads a tensor whole; see Tensor.Float32.
func (c *File) Float32(name string) ([]float32, error) {
	t := c.Tensors[name]
	if t == nil {
		return nil, fmt.Errorf("reading checkpoint %q: there is no tensor %q", c.Path, name)
	}
	values, err := t.Float32()
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint %q: %w", c.Path, err)
	}
	return values, nil
}

func (c *File) read() error {
	info, err := c.f.Stat()
	if err != nil {
		return err
	}
	head := make([]byte, len(legacyMagic))
	n, err := c.f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var root any
	switch head = head[:n]; {
	case n == 0:
		return errors.New("the file is empty")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		root, c.storages, err = openZip(c.f, info.Size())
	case isLegacy(head):
		root, c.storages, err = openLegacy(c.f, info.Size())
	default:
		return errors.New("it is not a PyTorch checkpoint: neither torch's zip format nor its legacy format")
	}
	if err != nil {
		return err
	}
	return c.readRoot(root)
}

// readRoot finds the state dict in what torch.load would return: mmcv's rule
// (state_dict if there is one), and the official code's `model`.
func (c *File) readRoot(root any) error {
	items, ok := dictItems(root)
	if !ok {
		return fmt.Errorf("no state dict found: it holds a %s, not a dict", pythonType(root))
	}
	state := items
	for _, key := range []string{"model", "state_dict"} {
		for k, v := range items {
			if k != key {
				continue
			}
			if inner, ok := dictItems(v); ok {
				state = inner
			}
		}
	}
	for k, v := range items {
		if meta, ok := dictItems(v); ok && k == "meta" {
			c.readMeta(meta)
		}
	}
	return c.readState(state)
}

func (c *File) readState(items iter.Seq2[any, any]) error {
	c.Tensors, c.Unreadable = make(map[string]*Tensor), make(map[string]bool)
	prefixed := make(map[string]string)
	for k, v := range items {
		full, isName := k.(string)
		t, isTensor := v.(*Tensor)
		name := strings.TrimPrefix(full, "module.")
		if isName && !isTensor {
			c.Unreadable[name] = true
		}
		if !isName || !isTensor {
			continue
		}
		if prefixed[name] != "" && prefixed[name] != full {
			return fmt.Errorf("tensor %.80q is there twice: with the prefix \"module.\" and without", name)
		}
		prefixed[name] = full
		// EMAHook's buffers have their dots replaced, so no module owns them.
		if strings.HasPrefix(name, "ema_") && !strings.Contains(name, ".") {
			c.Averages++
			continue
		}
		if _, twice := c.Tensors[name]; !twice {
			c.Names = append(c.Names, name)
		}
		c.Tensors[name] = &Tensor{Name: name, View: t.View, storage: t.storage}
	}
	if len(c.Names) == 0 {
		return errors.New("its state dict holds no tensors (looked for under state_dict, model, or the file as a whole)")
	}
	return nil
}

func (c *File) readMeta(items iter.Seq2[any, any]) {
	for k, v := range items {
		if k != "CLASSES" {
			continue
		}
		var names []any
		switch v := v.(type) {
		case *pickle.List:
			names = *v
		case *pickle.Tuple:
			names = *v
		}
		for _, n := range names {
			if name, ok := n.(string); ok {
				c.Classes = append(c.Classes, name)
			}
		}
		if len(c.Classes) != len(names) {
			c.Classes = nil // not the list of names that mmcls writes
		}
	}
}

// dictItems goes through a Python dict or OrderedDict.
func dictItems(v any) (iter.Seq2[any, any], bool) {
	switch d := v.(type) {
	case *pickle.Dict:
		return func(yield func(any, any) bool) {
			for _, e := range *d {
				if !yield(e.Key, e.Value) {
					return
				}
			}
		}, true
	case *pickle.OrderedDict:
		return func(yield func(any, any) bool) {
			for e := d.List.Front(); e != nil; e = e.Next() {
				if entry := e.Value.(*pickle.OrderedDictEntry); !yield(entry.Key, entry.Value) {
					return
				}
			}
		}, true
	}
	return nil, false
}

// dictItemsOrNone is dictItems of a value that may be something else.
func dictItemsOrNone(v any) iter.Seq2[any, any] {
	if items, ok := dictItems(v); ok {
		return items
	}
	return func(func(any, any) bool) {}
}

// pythonType names a value's type for a message.
func pythonType(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case *pickle.List:
		return "list"
	case *pickle.Tuple:
		return "tuple"
	case *Tensor:
		return "tensor"
	case string:
		return "str"
	case int, float64, bool:
		return "number"
	}
	return "Python object"
}
