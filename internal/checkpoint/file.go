package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"repvgg/internal/python/pickle"
)

// File is an open checkpoint.
type File struct {
	// Path is the name it was opened by.
	Path string
	// Tensors are the state dict's, by name. What PyTorch's wrappers put into names
	// is taken out: "module." of DataParallel in front, "_orig_mod." of compiled
	// networks, and "_fsdp_wrapped_module." and "_checkpoint_wrapped_module." anywhere.
	Tensors map[string]*Tensor
	// Names are the tensors' names in the order of the file.
	Names []string
	// Format is the file's: ZipFormat, LegacyFormat or SafetensorsFormat.
	Format string
	// Key is what the state dict stands under, keys inside one another joined by
	// dots ("ema.module"); empty if it is the file itself.
	Key string
	// Averaged says that the tensors are averaged weights (EMA).
	Averaged bool
	// Averages counts averaged weights that stand beside those that are read:
	// the tensors of mmcv's EMAHook (ema_*), which the original leaves out too,
	// and those under keys like AverageKeys.
	Averages int
	// Counters are the tensors, as the file names them, that tools add to a
	// network and that are known to mean nothing for it. They are not among Names.
	Counters []string
	// Unreadable are the entries of the state dict that are no tensors of a type
	// that is read.
	Unreadable map[string]bool
	// Classes are the names of the classes that the training framework
	// recorded; nil if it did not.
	Classes []string
	// Modules are those of a network that was pickled whole, by their path in it,
	// which for the network itself is empty; nil if the file has a state dict.
	Modules map[string]*Module
	// Globals are the classes and functions that the file's pickles name, in the
	// order of the file.
	Globals []Global
	// Unchecked says that the file is a zip file without checksums, so that damage
	// to its tensors goes unnoticed.
	Unchecked bool

	f        io.Closer
	storages []*storage
}

// The formats of files, as they are told to people.
const (
	ZipFormat         = "torch zip"
	LegacyFormat      = "torch legacy"
	SafetensorsFormat = "safetensors"
)

// Open reads the structure of a checkpoint: a state dict, on its own or under any
// key of what a training run saved, a whole network that was pickled, or a
// safetensors file. Where several parts of the file could be meant, the error
// names their keys.
func Open(path string) (*File, error) { return OpenChoice(path, Choice{}) }

// OpenChoice is Open for one of several state dicts.
func OpenChoice(path string, want Choice) (*File, error) {
	return openFile(path, func(c *File, r io.ReaderAt, size int64) error { return c.read(r, size, want) })
}

func openFile(path string, read func(c *File, r io.ReaderAt, size int64) error) (*File, error) {
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
	info, err := f.Stat()
	if err == nil {
		err = read(c, f, info.Size())
	}
	if err != nil {
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

// read reads the structure of a file and the names of the tensors that are wanted.
func (c *File) read(r io.ReaderAt, size int64, want Choice) error {
	held, err := c.contents(r, size)
	if err != nil {
		return err
	}
	if held == nil {
		return c.readSafetensors(r, size, want)
	}
	err = c.readRoot(held.root, held.loader, want)
	c.storages = held.loader.storages
	return err
}

// contents are what a file of torch's formats holds.
type contents struct {
	root      any
	loader    *loader
	unchecked bool
}

// contents reads the pickles of a file of torch's formats; they are nil if it is a
// safetensors file, which has none.
func (c *File) contents(r io.ReaderAt, size int64) (held *contents, err error) {
	head := make([]byte, 512)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch head = head[:n]; {
	case n == 0:
		return nil, errors.New("the file is empty")
	case isSafetensors(head):
		c.Format = SafetensorsFormat
		return nil, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		c.Format = ZipFormat
		held, err = openZip(r, size)
	case isLegacy(r, size):
		c.Format = LegacyFormat
		held, err = openLegacy(r, size)
	default:
		return nil, fmt.Errorf("it is not a PyTorch checkpoint: %s", recognized(head))
	}
	if err != nil {
		return nil, err
	}
	c.Unchecked = held.unchecked
	c.Globals = globalsOf(held.loader.globals)
	return held, nil
}

// recognized says what a file is that is no checkpoint, by its first bytes.
func recognized(head []byte) string {
	for _, kind := range []struct{ head, is string }{
		{"\x1f\x8b", "it is compressed with gzip; unpack it first"},
		{"\xfd7zXZ", "it is compressed with xz; unpack it first"},
		{"BZh", "it is compressed with bzip2; unpack it first"},
		{"\x89HDF", "it is an HDF5 file, of Keras maybe"},
		{"version https://git-lfs", "it is a pointer of Git LFS to a file that was not fetched"},
		{"<!DOCTYPE", "it is a web page, as of a download that failed"},
		{"<html", "it is a web page, as of a download that failed"},
		{"\x80\x02", "it is a Python pickle that torch did not write"},
		{"\x80\x03", "it is a Python pickle that torch did not write"},
		{"\x80\x04", "it is a Python pickle that torch did not write"},
		{"\x80\x05", "it is a Python pickle that torch did not write"},
	} {
		if bytes.HasPrefix(head, []byte(kind.head)) {
			return kind.is
		}
	}
	if len(head) > 262 && string(head[257:262]) == "ustar" {
		return "it is a tar archive; unpack it first, or load and save it with the torch that wrote it"
	}
	return "neither torch's zip format, nor its legacy format, nor safetensors"
}

// readState takes the tensors of a state dict.
func (c *File) readState(entries []pickle.Entry) error {
	c.Tensors, c.Unreadable = make(map[string]*Tensor), make(map[string]bool)
	prefixed := make(map[string]string)
	for _, e := range entries {
		t, isTensor := e.Value.(*Tensor)
		name := unwrapped(e.Key)
		if !isTensor {
			c.Unreadable[name] = true
			continue
		}
		if prefixed[name] != "" && prefixed[name] != e.Key {
			return fmt.Errorf("tensor %.80q is there twice: as %.80q and as %.80q", name, prefixed[name], e.Key)
		}
		prefixed[name] = e.Key
		switch {
		case isAverage(name):
			c.Averages++
			continue
		case isCounter(name, t):
			c.Counters = append(c.Counters, name)
			continue
		}
		if _, twice := c.Tensors[name]; !twice {
			c.Names = append(c.Names, name)
		}
		c.Tensors[name] = &Tensor{Name: name, View: t.View, storage: t.storage, fault: t.fault}
	}
	return nil
}

// unwrapped takes out what wrappers put into a name.
func unwrapped(name string) string {
	words := strings.Split(name, ".")
	words = slices.DeleteFunc(words, func(w string) bool {
		return w == "_orig_mod" || w == "_fsdp_wrapped_module" || w == "_checkpoint_wrapped_module"
	})
	for len(words) > 1 && words[0] == "module" {
		words = words[1:]
	}
	return strings.Join(words, ".")
}

// isAverage tells the buffers of mmcv's EMAHook. It replaces the dots of their
// names, so that no module owns them.
func isAverage(name string) bool {
	return strings.HasPrefix(name, "ema_") && !strings.Contains(name, ".")
}

// counterNames are the last words of names: what thop counted in each module.
// wrapperCounters are names as a whole: how often torch's AveragedModel was
// updated, and mmengine's.
var (
	counterNames    = []string{"total_ops", "total_params"}
	wrapperCounters = []string{"n_averaged", "steps"}
)

// isCounter tells tensors of one element that tools leave in a network.
func isCounter(name string, t *Tensor) bool {
	if slices.ContainsFunc(t.Shape, func(n int) bool { return n != 1 }) {
		return false
	}
	return slices.Contains(counterNames, name[strings.LastIndexByte(name, '.')+1:]) || slices.Contains(wrapperCounters, name)
}

// CommonPrefix is what stands before the names of all tensors, with its last dot:
// "model.", "_forward_module.model.". It is empty if they have nothing in common.
func (c *File) CommonPrefix() string {
	if len(c.Names) == 0 {
		return ""
	}
	prefix := c.Names[0]
	for {
		dot := strings.LastIndexByte(strings.TrimSuffix(prefix, "."), '.')
		prefix = prefix[:dot+1]
		if !slices.ContainsFunc(c.Names, func(name string) bool { return !strings.HasPrefix(name, prefix) }) {
			return prefix
		}
	}
}

// StripPrefix takes a prefix of all tensors' names, the CommonPrefix or the front
// of it, off those in Names, Tensors and Unreadable. A tensor's own Name stays
// that of the file, which is what messages should tell.
func (c *File) StripPrefix(prefix string) {
	tensors, unreadable := make(map[string]*Tensor, len(c.Tensors)), make(map[string]bool)
	for i, name := range c.Names {
		c.Names[i] = strings.TrimPrefix(name, prefix)
		tensors[c.Names[i]] = c.Tensors[name]
	}
	for name := range c.Unreadable {
		unreadable[strings.TrimPrefix(name, prefix)] = true
	}
	c.Tensors, c.Unreadable = tensors, unreadable
}
