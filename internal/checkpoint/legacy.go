package checkpoint

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"repvgg/internal/pickle"
)

// legacyMagic is the pickle of 0x1950a86a20f9469cfc6c, with which a file of
// torch.save before 1.6, or with _use_new_zipfile_serialization=False, begins.
var legacyMagic = []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e")

// openLegacy reads the legacy format: pickles of the magic number, the protocol
// version, facts on the machine, the structure, and the list of storage keys;
// then for each key an int64 number of elements and the elements.
func openLegacy(f *os.File, size int64) (any, []*storage, error) {
	counted := &countingReader{r: io.NewSectionReader(f, 0, size)}
	r := bufio.NewReaderSize(counted, 64<<10)
	found := storages{byKey: map[string]*storage{}, find: func(*storage) (source, error) {
		return nil, errors.New("the file does not list it; it is damaged")
	}}
	var root, keys any
	for _, part := range []struct {
		skip bool
		into *any
	}{{skip: true}, {skip: true}, {skip: true}, {into: &root}, {into: &keys}} {
		pkl, err := pickle.Read(r, maxPickle)
		if err != nil {
			return nil, nil, err
		}
		if part.skip {
			continue
		}
		if *part.into, err = unpickle(pkl, found.load); err != nil {
			return nil, nil, err
		}
	}
	list, ok := keys.(*pickle.List)
	if !ok {
		return nil, nil, errors.New("it has no list of storages; it is damaged")
	}
	at := counted.n - int64(r.Buffered())
	for _, key := range *list {
		name, ok := key.(string)
		if !ok {
			return nil, nil, fmt.Errorf("a storage's key is a %T", key)
		}
		s := found.byKey[name]
		if s == nil {
			return nil, nil, fmt.Errorf("storage %q is listed but not described; the file is damaged", name)
		}
		end, err := s.locate(f, at, size)
		if err != nil {
			return nil, nil, fmt.Errorf("storage %q: %w", name, err)
		}
		at = end
	}
	return root, found.list(), nil
}

// locate checks that the storage's number of elements and its elements stand at
// byte at of the file, and gives the byte after them.
func (s *storage) locate(f io.ReaderAt, at, size int64) (end int64, err error) {
	var count [8]byte
	if _, err := f.ReadAt(count[:], at); err != nil {
		return 0, errors.New("the file ends before it; it is truncated")
	}
	if n := binary.LittleEndian.Uint64(count[:]); n != uint64(s.numel) {
		return 0, fmt.Errorf("the file has %d elements where its structure says %d; it is damaged", n, s.numel)
	}
	at += int64(len(count))
	bytes := int64(s.numel) * int64(s.dtype.Size())
	if bytes > size-at {
		return 0, fmt.Errorf("the file ends %d bytes before its end; it is truncated", bytes-(size-at))
	}
	s.find = func() (source, error) { return unchecked{io.NewSectionReader(f, at, bytes)}, nil }
	return at + bytes, nil
}

// unchecked is a part of a file whose format has no checksums.
type unchecked struct{ *io.SectionReader }

// Verify implements source.
func (unchecked) Verify() error { return nil }

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func isLegacy(head []byte) bool { return bytes.HasPrefix(head, legacyMagic) }
