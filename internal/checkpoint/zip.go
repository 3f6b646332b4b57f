package checkpoint

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"sync"

	"repvgg/internal/pickle"
)

// openZip reads torch's zip format: PREFIX/data.pkl is the structure, and
// PREFIX/data/KEY the bytes of each storage.
func openZip(f *os.File, size int64) (any, []*storage, error) {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; the file is truncated or damaged", err)
	}
	entries := make(map[string]*zip.File, len(z.File))
	prefix := ""
	for _, e := range z.File {
		if _, twice := entries[e.Name]; twice {
			return nil, nil, fmt.Errorf("entry %q stands in the file twice", e.Name)
		}
		entries[e.Name] = e
		if dir, ok := strings.CutSuffix(e.Name, "data.pkl"); ok && strings.Count(dir, "/") == 1 && strings.HasSuffix(dir, "/") {
			prefix = dir
		}
	}
	if prefix == "" {
		return nil, nil, errors.New("it is a zip file without data.pkl: no checkpoint of torch")
	}
	if _, ok := entries[prefix+"constants.pkl"]; ok {
		return nil, nil, errors.New("it is a TorchScript archive; save the model's state_dict() with torch.save instead")
	}
	if err := checkByteOrder(entries[prefix+"byteorder"]); err != nil {
		return nil, nil, err
	}
	pkl, err := readEntryPickle(entries[prefix+"data.pkl"])
	if err != nil {
		return nil, nil, err
	}
	found := storages{byKey: map[string]*storage{}, find: func(s *storage) (source, error) {
		e := entries[prefix+"data/"+s.key]
		if e == nil {
			return nil, fmt.Errorf("the file has no entry %q; it is damaged", prefix+"data/"+s.key)
		}
		return openEntry(f, size, e)
	}}
	root, err := unpickle(pkl, found.load)
	return root, found.list(), err
}

func checkByteOrder(e *zip.File) error {
	if e == nil {
		return nil // torch before 2.1 did not say, and was little-endian in practice
	}
	r, err := e.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	order, err := io.ReadAll(io.LimitReader(r, 16))
	if err != nil {
		return err
	}
	if string(order) != "little" {
		return fmt.Errorf("its byte order is %q; load and save it on a little-endian machine", order)
	}
	return nil
}

func readEntryPickle(e *zip.File) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := bufio.NewReaderSize(r, 64<<10)
	pkl, err := pickle.Read(b, maxPickle)
	if err != nil {
		return nil, err
	}
	// To the end, where the checksum is.
	if rest, err := io.Copy(io.Discard, io.LimitReader(b, 1)); err != nil || rest > 0 {
		return nil, fmt.Errorf("entry %q goes on after its pickle; the file is damaged", e.Name)
	}
	return pkl, nil
}

// openEntry gives the bytes of an entry. Nothing is read yet.
func openEntry(f io.ReaderAt, size int64, e *zip.File) (source, error) {
	if e.UncompressedSize64 > 1<<62 {
		return nil, fmt.Errorf("entry %q claims %d bytes", e.Name, e.UncompressedSize64)
	}
	if e.Method != zip.Store {
		return &inflatedEntry{file: e}, nil
	}
	start, err := e.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", e.Name, err)
	}
	n := int64(e.UncompressedSize64)
	if e.CompressedSize64 != e.UncompressedSize64 || start > size || n > size-start {
		return nil, fmt.Errorf("entry %q reaches beyond the end of the file", e.Name)
	}
	return &storedEntry{SectionReader: io.NewSectionReader(f, start, n), want: e.CRC32}, nil
}

// storedEntry is an uncompressed entry. Its checksum is computed along the way
// while reads follow one another, so that checking costs no second pass.
type storedEntry struct {
	*io.SectionReader
	want uint32

	mu      sync.Mutex
	touched bool
	sum     uint32
	summed  int64 // bytes from the start that sum covers
}

// ReadAt implements io.ReaderAt.
func (e *storedEntry) ReadAt(p []byte, off int64) (int, error) {
	n, err := e.SectionReader.ReadAt(p, off)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.touched = true
	if off == e.summed {
		e.sum = crc32.Update(e.sum, crc32.IEEETable, p[:n])
		e.summed += int64(n)
	}
	return n, err
}

// Verify reads the rest of the entry if any of it was read, and compares.
func (e *storedEntry) Verify() error {
	if !e.touched {
		return nil
	}
	buf := make([]byte, min(chunk, e.Size()))
	for e.summed < e.Size() {
		if n, err := e.ReadAt(buf[:min(int64(len(buf)), e.Size()-e.summed)], e.summed); n == 0 {
			return err
		}
	}
	if e.sum != e.want {
		return fmt.Errorf("its CRC-32 is %08x where the file says %08x; the file is damaged", e.sum, e.want)
	}
	return nil
}

// inflatedEntry is a compressed entry, which torch itself never writes but
// repacked files have. It is inflated as a stream and never held whole; reading
// backwards starts again.
type inflatedEntry struct {
	file *zip.File

	mu  sync.Mutex
	r   io.ReadCloser
	pos int64
	// inflated is how many bytes all starts together came to.
	inflated int64
}

// maxInflations bounds how often an entry may be inflated: what converting,
// verifying and testing take, not what a hostile view could ask for.
const maxInflations = 8

// Size implements source.
func (e *inflatedEntry) Size() int64 { return int64(e.file.UncompressedSize64) }

// ReadAt implements io.ReaderAt.
func (e *inflatedEntry) ReadAt(p []byte, off int64) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.r == nil || off < e.pos {
		if err := e.close(); err != nil {
			return 0, err
		}
		r, err := e.file.Open()
		if err != nil {
			return 0, err
		}
		e.r, e.pos = r, 0
	}
	e.inflated += off - e.pos + int64(len(p))
	if e.inflated > maxInflations*e.Size()+chunk {
		return 0, errors.New("it is compressed and its tensors jump about in it; load and save the file with torch")
	}
	skipped, err := io.CopyN(io.Discard, e.r, off-e.pos)
	e.pos += skipped
	if err != nil {
		return 0, fmt.Errorf("inflating: %w", err)
	}
	n, err := io.ReadFull(e.r, p)
	e.pos += int64(n)
	if err != nil {
		err = fmt.Errorf("inflating: %w", err)
	}
	return n, err
}

// Verify inflates the rest if any was read; the zip reader compares the
// checksum at the end.
func (e *inflatedEntry) Verify() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.r == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, e.r)
	if err != nil {
		return fmt.Errorf("%w; the file is damaged", err)
	}
	return e.close()
}

func (e *inflatedEntry) close() error {
	if e.r == nil {
		return nil
	}
	r := e.r
	e.r = nil
	return r.Close()
}
