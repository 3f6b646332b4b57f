package checkpoint

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"repvgg/internal/pickle"
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

// storages are those that a checkpoint's pickle names, by key.
type storages struct {
	byKey map[string]*storage
	// find locates the bytes of a storage.
	find func(*storage) (source, error)
}

// load resolves a persistent id of torch:
// ("storage", class, key, location, numel[, view]).
func (s *storages) load(id any) (any, error) {
	t, ok := id.(*pickle.Tuple)
	if !ok || t.Len() < 5 {
		return nil, fmt.Errorf("persistent id %T is not torch's", id)
	}
	if kind, _ := t.Get(0).(string); kind != "storage" {
		// Legacy files of whole modules carry their source code this way.
		return &opaque{}, nil
	}
	class, ok := t.Get(1).(storageClass)
	if !ok {
		return &opaque{}, nil
	}
	key, ok := t.Get(2).(string)
	if !ok {
		return nil, fmt.Errorf("a storage's key is a %T", t.Get(2))
	}
	numel, err := toInt(t.Get(4))
	if err != nil {
		return nil, fmt.Errorf("storage %q: %w", key, err)
	}
	if numel < 0 || numel > math.MaxInt/8 {
		return nil, fmt.Errorf("storage %q claims %d elements", key, numel)
	}
	if t.Len() > 5 && t.Get(5) != nil {
		return nil, fmt.Errorf("storage %q is a view of another storage, as only torch before 0.4 wrote; load and save the file with a newer torch", key)
	}
	if have, ok := s.byKey[key]; ok {
		if have.dtype != class.dtype || have.numel != numel {
			return nil, fmt.Errorf("storage %q is described in two ways", key)
		}
		return have, nil
	}
	st := &storage{key: key, dtype: class.dtype, numel: numel}
	st.find = func() (source, error) { return s.find(st) }
	s.byKey[key] = st
	return st, nil
}

func (s *storages) list() []*storage { return slices.Collect(maps.Values(s.byKey)) }
