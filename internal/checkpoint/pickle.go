package checkpoint

import "repvgg/internal/pickle"

// maxPickle bounds the structure of a checkpoint: some 200 bytes a tensor, and
// whatever else the training framework recorded.
const maxPickle = 32 << 20

// unpickle interprets a pickle that pickle.Read has checked. persistent
// resolves storages.
func unpickle(data []byte, persistent func(any) (any, error)) (any, error) {
	return pickle.Load(data, classFor, persistent)
}
