package checkpoint

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"sync"
)

// archive is a file in torch's zip format: PREFIX/data.pkl is the structure, and
// PREFIX/data/KEY the bytes of each storage.
type archive struct {
	r       io.ReaderAt
	size    int64
	entries map[string]*zip.File
	prefix  string
	// unchecked says that no entry has a checksum, as torch 2.6 and later write
	// after torch.serialization.set_crc32_options(False).
	unchecked bool
	inflation *budget
}

// openZip reads the structure of a file in torch's zip format.
func openZip(r io.ReaderAt, size int64) (*contents, error) {
	a := &archive{r: r, size: size, inflation: newBudget(size)}
	if err := a.readDirectory(); err != nil {
		return nil, err
	}
	if _, ok := a.entries[a.prefix+"constants.pkl"]; ok {
		return nil, errors.New("it is a TorchScript archive; save the model's state_dict() with torch.save instead")
	}
	if err := a.checkByteOrder(); err != nil {
		return nil, err
	}
	data, err := a.open(a.entries[a.prefix+"data.pkl"])
	if err != nil {
		return nil, err
	}
	if most := 32<<20 + 16*size; data.Size() > most {
		return nil, fmt.Errorf("its pickled structure inflates to %d bytes; load and save the file with torch", data.Size())
	}
	l := newLoader(data, size)
	l.find = func(s *storage) (source, error) {
		e := a.entries[a.prefix+"data/"+s.key]
		if e == nil {
			return nil, fmt.Errorf("the file has no entry %q; it is damaged", a.prefix+"data/"+s.key)
		}
		return a.open(e)
	}
	p, err := l.load(0, data.Size())
	if err == nil && p.End != data.Size() {
		err = fmt.Errorf("entry %q goes on after its pickle; the file is damaged", a.prefix+"data.pkl")
	}
	if err == nil {
		err = data.Verify()
	}
	if err != nil {
		return nil, err
	}
	return &contents{root: p.Value, loader: l, unchecked: a.unchecked}, nil
}

// readDirectory reads the list of entries.
func (a *archive) readDirectory() error {
	z, err := zip.NewReader(a.r, a.size)
	if err != nil {
		return fmt.Errorf("%w; the file is truncated or damaged", err)
	}
	a.entries = make(map[string]*zip.File, len(z.File))
	a.unchecked = true
	for _, e := range z.File {
		if _, twice := a.entries[e.Name]; twice {
			return fmt.Errorf("entry %q stands in the file twice", e.Name)
		}
		a.entries[e.Name] = e
		if e.CRC32 != 0 {
			a.unchecked = false // also of an entry of no bytes, whose checksum is 0
		}
		dir, ok := strings.CutSuffix(e.Name, "data.pkl")
		if !ok || strings.Count(dir, "/") != 1 || !strings.HasSuffix(dir, "/") {
			continue
		}
		if a.prefix != "" {
			return fmt.Errorf("both %q and %q are there; a checkpoint has one data.pkl", a.prefix+"data.pkl", e.Name)
		}
		a.prefix = dir
	}
	if a.prefix == "" {
		return errors.New("it is a zip file without data.pkl: no checkpoint of torch")
	}
	return checkApart(z.File)
}

// checkApart refuses entries that share bytes of the file: a small file of them
// would inflate to any size.
func checkApart(entries []*zip.File) error {
	type part struct {
		from, to int64
		name     string
	}
	parts := make([]part, 0, len(entries))
	for _, e := range entries {
		from, err := e.DataOffset()
		if err != nil {
			return fmt.Errorf("entry %q: %w; the file is damaged", e.Name, err)
		}
		if n := int64(e.CompressedSize64); n > 0 {
			parts = append(parts, part{from, from + n, e.Name})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(parts); i++ {
		if before := parts[i-1]; parts[i].from < before.to {
			return fmt.Errorf("entries %q and %q share bytes of the file; it is damaged or made to harm", before.name, parts[i].name)
		}
	}
	return nil
}

func (a *archive) checkByteOrder() error {
	e := a.entries[a.prefix+"byteorder"]
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

// open gives the bytes of an entry. Nothing is read yet.
func (a *archive) open(e *zip.File) (source, error) {
	if e.UncompressedSize64 > 1<<62 {
		return nil, fmt.Errorf("entry %q claims %d bytes", e.Name, e.UncompressedSize64)
	}
	n := int64(e.UncompressedSize64)
	if e.Method != zip.Store {
		return &stream{size: n, open: e.Open, budget: a.inflation}, nil
	}
	start, err := e.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", e.Name, err)
	}
	if e.CompressedSize64 != e.UncompressedSize64 || start > a.size || n > a.size-start {
		return nil, fmt.Errorf("entry %q reaches beyond the end of the file", e.Name)
	}
	section := io.NewSectionReader(a.r, start, n)
	if a.unchecked {
		return unchecked{section}, nil
	}
	return &storedEntry{SectionReader: section, want: e.CRC32}, nil
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
