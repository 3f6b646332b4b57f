package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"

	"repvgg/internal/python/pickle"
)

// legacyMagic is the number in the first pickle of a file of torch.save before
// 1.6, or with _use_new_zipfile_serialization=False.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

// maxMagic is more than the bytes that the first pickle takes.
const maxMagic = 64

// isLegacy tells from a file's first bytes, in any protocol of pickle.
func isLegacy(r io.ReaderAt, size int64) bool {
	p, err := pickle.Load(r, 0, min(size, maxMagic), pickle.Options{})
	if err != nil {
		return false
	}
	n, ok := p.Value.(*big.Int)
	return ok && n.Cmp(legacyMagic) == 0
}

// openLegacy reads the legacy format: pickles of the magic number, the protocol
// version, facts on the machine, the structure, and the list of storage keys;
// then for each key an int64 number of elements and the elements.
func openLegacy(r io.ReaderAt, size int64) (*contents, error) {
	l := newLoader(r, size)
	l.find = func(*storage) (source, error) {
		return nil, errors.New("the file does not list it; it is damaged")
	}
	var values [5]any
	at := int64(0)
	for i := range values {
		p, err := l.load(at, size)
		if err != nil {
			return nil, err
		}
		values[i], at = p.Value, p.End
	}
	machine, _ := values[2].(*pickle.Dict)
	if machine.Get("little_endian") == false {
		return nil, errors.New("it was written on a big-endian machine; load and save it on a little-endian one")
	}
	root := values[3]
	keys, ok := values[4].(*pickle.List)
	if !ok {
		return nil, errors.New("it has no list of storages; it is damaged")
	}
	if keys.Emptied() {
		return nil, fmt.Errorf("it has %d storages, more than are read; save the model's state_dict() alone", keys.Len)
	}
	for _, key := range keys.Items {
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("a storage's key is of type %s", pickle.TypeOf(key))
		}
		s := l.byKey[name]
		if s == nil {
			return nil, fmt.Errorf("storage %q is listed but not described; the file is damaged", name)
		}
		end, err := s.locate(r, at, size)
		if err != nil {
			return nil, fmt.Errorf("storage %q: %w", name, err)
		}
		at = end
	}
	return &contents{root: root, loader: l}, nil
}

// locate checks that the storage's number of elements and its elements stand at
// byte at of the file, and gives the byte after them.
func (s *storage) locate(r io.ReaderAt, at, size int64) (end int64, err error) {
	var count [8]byte
	if n, err := r.ReadAt(count[:], at); n < len(count) {
		return 0, fmt.Errorf("the file ends before it; it is truncated: %w", err)
	}
	if n := binary.LittleEndian.Uint64(count[:]); n != uint64(s.numel) {
		return 0, fmt.Errorf("the file has %d elements where its structure says %d; it is damaged", n, s.numel)
	}
	at += int64(len(count))
	bytes := int64(s.numel) * int64(s.dtype.Size())
	if bytes > size-at {
		return 0, fmt.Errorf("the file ends %d bytes before its end; it is truncated", bytes-(size-at))
	}
	s.find = func() (source, error) { return unchecked{io.NewSectionReader(r, at, bytes)}, nil }
	return at + bytes, nil
}

// unchecked is a part of a file that has no checksum.
type unchecked struct{ *io.SectionReader }

// Verify implements source.
func (unchecked) Verify() error { return nil }
