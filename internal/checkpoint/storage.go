package checkpoint

import (
	"fmt"
	"io"

	"repvgg/internal/tensor"
)

// storage is a flat run of elements in the file, which tensors view. Its bytes
// are found when they are first asked for.
type storage struct {
	key   string
	dtype tensor.DType
	numel int
	find  func() (source, error)
	data  source
}

// source gives the bytes of a storage.
type source interface {
	io.ReaderAt
	// Size is the number of bytes.
	Size() int64
	// Verify holds what was read against the file's checksum, where it has one.
	Verify() error
}

// open finds the storage's bytes and checks that there are exactly as many as
// its elements take.
func (s *storage) open() (source, error) {
	if s.data != nil {
		return s.data, nil
	}
	data, err := s.find()
	if err != nil {
		return nil, fmt.Errorf("storage %q: %w", s.key, err)
	}
	if want := int64(s.numel) * int64(s.dtype.Size()); data.Size() != want {
		return nil, fmt.Errorf("storage %q has %d bytes, but its %d elements of %s take %d; the file is damaged",
			s.key, data.Size(), s.numel, s.dtype, want)
	}
	s.data = data
	return data, nil
}

// verify checks what was read of the storage; nothing if nothing was.
func (s *storage) verify() error {
	if s.data == nil {
		return nil
	}
	if err := s.data.Verify(); err != nil {
		return fmt.Errorf("storage %q: %w", s.key, err)
	}
	return nil
}
