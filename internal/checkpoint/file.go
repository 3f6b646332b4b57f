package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"repvgg/internal/pickle"
)

// File is an open checkpoint.
type File struct {
	// Path is the name it was opened by.
	Path string
	// Tensors are the state dict's, by name. The prefixes "module." of a network
	// wrapped in DataParallel and "_orig_mod." of a compiled one are taken off.
	Tensors map[string]*Tensor
	// Names are the tensors' names in the order of the file.
	Names []string
	// Format is the file's: ZipFormat, LegacyFormat or SafetensorsFormat.
	Format string
	// Key is what the state dict stands under; empty if it is the file itself.
	Key string
	// Averages counts averaged weights that stand beside those that are read:
	// the tensors of mmcv's EMAHook (ema_*), which the original leaves out too,
	// and those under one of AverageKeys.
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

// The formats of files, as they are told to people.
const (
	ZipFormat         = "torch zip"
	LegacyFormat      = "torch legacy"
	SafetensorsFormat = "safetensors"
)

// Open reads the structure of a checkpoint: of a training run ({"state_dict":
// ...} or {"model": ...}), a bare state dict, or a safetensors file.
func Open(path string) (*File, error) { return open(path, false) }

// OpenAveraged is Open for the averaged weights of a training run, under one of
// AverageKeys.
func OpenAveraged(path string) (*File, error) { return open(path, true) }

func open(path string, averaged bool) (*File, error) {
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
	if err := c.read(averaged); err != nil {
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

func (c *File) read(averaged bool) error {
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
	case isSafetensors(head):
		if averaged {
			return errNoAverages
		}
		tensors, err := openSafetensors(c.f, info.Size())
		if err != nil {
			return err
		}
		c.Format = SafetensorsFormat
		return c.readState(tensors)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		c.Format = ZipFormat
		root, c.storages, err = openZip(c.f, info.Size())
	case isLegacy(head):
		c.Format = LegacyFormat
		root, c.storages, err = openLegacy(c.f, info.Size())
	default:
		return errors.New("it is not a PyTorch checkpoint: neither torch's zip format, nor its legacy format, nor safetensors")
	}
	if err != nil {
		return err
	}
	return c.readRoot(root, averaged)
}

// stateKeys are where a checkpoint has its state dict: mmcv's key, and the
// official code's.
var stateKeys = []string{"state_dict", "model"}

// AverageKeys are where training runs keep averaged weights: timm's, and the
// official code's. They are read if asked for, or for want of others.
var AverageKeys = []string{"state_dict_ema", "model_ema", "ema"}

var (
	errNoTensors  = errors.New("it holds no tensors of a type that is read")
	errNoAverages = fmt.Errorf("it holds no averaged weights under %s", strings.Join(AverageKeys, ", "))
)

// readRoot finds the state dict in what torch.load would return: under one of
// stateKeys, else the dict itself, which is mmcv's rule, if it holds tensors.
func (c *File) readRoot(root any, averaged bool) error {
	items, ok := dictItems(root)
	if !ok {
		return fmt.Errorf("no state dict found: it holds a %s, not a dict; save model.state_dict()", pythonType(root))
	}
	dicts := map[string]iter.Seq2[any, any]{"": items}
	for k, v := range items {
		key, _ := k.(string)
		if d, isDict := dictItems(v); isDict && key != "" { // which stands for the file itself
			dicts[key] = d
		}
	}
	if meta := dicts["meta"]; meta != nil {
		c.readMeta(meta)
	}
	keys := AverageKeys
	if !averaged {
		keys = slices.Concat(stateKeys, []string{""}, AverageKeys)
	}
	found := slices.IndexFunc(keys, func(key string) bool { return countTensors(dicts[key]) > 0 })
	switch {
	case found >= 0:
		c.Key = keys[found]
	case averaged:
		return errNoAverages
	default:
		return fmt.Errorf("%w (looked for in the file as a whole and under %s)", errNoTensors, strings.Join(slices.Concat(stateKeys, AverageKeys), ", "))
	}
	if !slices.Contains(AverageKeys, c.Key) {
		for _, key := range AverageKeys {
			c.Averages += countTensors(dicts[key])
		}
	}
	return c.readState(dicts[c.Key])
}

func countTensors(items iter.Seq2[any, any]) (n int) {
	if items == nil {
		return 0
	}
	for _, v := range items {
		if _, isTensor := v.(*Tensor); isTensor {
			n++
		}
	}
	return n
}

func (c *File) readState(items iter.Seq2[any, any]) error {
	c.Tensors, c.Unreadable = make(map[string]*Tensor), make(map[string]bool)
	prefixed := make(map[string]string)
	for k, v := range items {
		full, isName := k.(string)
		t, isTensor := v.(*Tensor)
		name := unwrapped(full)
		if isName && !isTensor {
			c.Unreadable[name] = true
		}
		if !isName || !isTensor {
			continue
		}
		if prefixed[name] != "" && prefixed[name] != full {
			return fmt.Errorf("tensor %.80q is there twice: as %.80q and as %.80q", name, prefixed[name], full)
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
		return errNoTensors
	}
	return nil
}

// unwrapped takes off what wrappers put before a name, in any order.
func unwrapped(name string) string {
	for {
		inner := strings.TrimPrefix(strings.TrimPrefix(name, "module."), "_orig_mod.")
		if inner == name {
			return name
		}
		name = inner
	}
}

// Rename gives tensors other names, in Names, Tensors and Unreadable: rename
// returns the name that a name becomes. A tensor's own Name stays that of the
// file, which is what messages should tell.
func (c *File) Rename(rename func(name string) string) error {
	tensors, unreadable := make(map[string]*Tensor, len(c.Tensors)), make(map[string]bool)
	for i, from := range c.Names {
		to := rename(from)
		if other := tensors[to]; other != nil {
			return fmt.Errorf("reading checkpoint %q: tensors %.80q and %.80q both stand for %.80q; leave out the one that is not to be read", c.Path, other.Name, c.Tensors[from].Name, to)
		}
		tensors[to], c.Names[i] = c.Tensors[from], to
	}
	for name := range c.Unreadable {
		unreadable[rename(name)] = true
	}
	c.Tensors, c.Unreadable = tensors, unreadable
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
