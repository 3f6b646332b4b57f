package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// stream is a source that can only be read from its beginning: an entry of a zip
// file that is compressed, as torch itself never writes one but repacked files
// have them, or bytes that a pickle holds as text. It is never held whole;
// reading backwards starts again.
type stream struct {
	size int64
	open func() (io.ReadCloser, error)
	// budget, unless nil, is what all streams of a file may come to.
	budget *budget

	mu  sync.Mutex
	r   io.ReadCloser
	pos int64
	// read is how many bytes all starts together came to.
	read int64
}

// maxPasses bounds how often a stream may be read: what converting, verifying
// and testing take, not what a hostile view could ask for.
const maxPasses = 8

// budget is how many bytes may still be inflated.
type budget struct {
	mu   sync.Mutex
	left int64
}

// newBudget is for a file of this size: weights hardly compress, and zeros, of
// pruned ones, not to less than a hundredth on average.
func newBudget(size int64) *budget { return &budget{left: 256<<20 + 64*size} }

func (b *budget) spend(n int64) error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left -= n; b.left < 0 {
		return errors.New("it inflates to far more than weights do; load and save the file with torch")
	}
	return nil
}

// Size implements source.
func (s *stream) Size() int64 { return s.size }

// ReadAt implements io.ReaderAt.
func (s *stream) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if off >= s.size {
		return 0, io.EOF
	}
	p, short := p[:min(int64(len(p)), s.size-off)], int64(len(p)) > s.size-off
	if s.r == nil || off < s.pos {
		if err := s.close(); err != nil {
			return 0, err
		}
		r, err := s.open()
		if err != nil {
			return 0, err
		}
		s.r, s.pos = r, 0
	}
	n := off - s.pos + int64(len(p))
	if s.read += n; s.read > maxPasses*s.size+chunk {
		return 0, errors.New("it is compressed and its tensors jump about in it; load and save the file with torch")
	}
	if err := s.budget.spend(n); err != nil {
		return 0, err
	}
	skipped, err := io.CopyN(io.Discard, s.r, off-s.pos)
	s.pos += skipped
	if err != nil {
		return 0, fmt.Errorf("inflating: %w", err)
	}
	got, err := io.ReadFull(s.r, p)
	s.pos += int64(got)
	if err != nil {
		return got, fmt.Errorf("inflating: %w", err)
	}
	if short {
		err = io.EOF
	}
	return got, err
}

// Verify reads the rest if any was read, to the end, where the zip reader
// compares the checksum.
func (s *stream) Verify() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.r == nil {
		return nil
	}
	if err := s.budget.spend(s.size - s.pos); err != nil {
		return err
	}
	rest, err := io.Copy(io.Discard, s.r)
	if err == nil && s.pos+rest != s.size {
		err = fmt.Errorf("%d bytes where %d belong", s.pos+rest, s.size)
	}
	if err != nil {
		return fmt.Errorf("%w; the file is damaged", err)
	}
	return s.close()
}

func (s *stream) close() error {
	if s.r == nil {
		return nil
	}
	r := s.r
	s.r = nil
	return r.Close()
}
