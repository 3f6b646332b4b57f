package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"

	"repvgg/internal/python/pickle"
	"repvgg/internal/tensor"
)

// loader gives a meaning to what a checkpoint's pickles name. Only the handful
// of torch's functions that rebuild tensors have one; everything else stays a
// placeholder, so that a checkpoint of an unknown framework loads and nothing of
// it runs.
type loader struct {
	// r holds the pickles, and the arrays in them.
	r io.ReaderAt
	// memory is about how many bytes may be kept of a pickle.
	memory int
	// find locates the bytes of a storage.
	find     func(*storage) (source, error)
	byKey    map[string]*storage
	storages []*storage
	// globals are the classes and functions named so far.
	globals []pickle.Named
}

func newLoader(r io.ReaderAt, size int64) *loader {
	memory := pickle.DefaultMemory + int(min(size/64, 1<<30))
	return &loader{r: r, memory: memory, byKey: make(map[string]*storage)}
}

// load reads one pickle of r.
func (l *loader) load(at, end int64) (*pickle.Pickle, error) {
	p, err := pickle.Load(l.r, at, end, pickle.Options{Call: l.call, Persistent: l.persistent, Memory: l.memory})
	if err == nil {
		l.globals = append(l.globals, p.Globals...)
	}
	return p, err
}

// call implements pickle.Options.Call.
func (l *loader) call(f pickle.Global, args []any) (any, error) {
	switch f.Module + "." + f.Name {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch_npu.utils.storage._rebuild_npu_tensor":
		return rebuildTensor(args)
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state", "torch.nn.parameter.Parameter":
		return l.first(args)
	case "torch._utils._rebuild_device_tensor_from_numpy", "torch._utils._rebuild_device_tensor_from_cpu_tensor",
		"torch._utils._rebuild_xla_tensor", "torch._utils._rebuild_hpu_tensor", "torch._utils._rebuild_ort_tensor",
		"torch._utils._rebuild_mlc_tensor": // of an accelerator: the values, their type, the device
		return l.first(args)
	case "torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2": // of a function, a type, the function's arguments
		if len(args) == 4 {
			inner, isGlobal := args[0].(pickle.Global)
			of, isTuple := args[2].(*pickle.Tuple)
			if isGlobal && isTuple && inner.Module != f.Module {
				return l.call(inner, of.Items)
			}
		}
	case "torch.Size":
		if len(args) == 1 {
			return args[0], nil
		}
	}
	return nil, nil
}

// first gives the tensor that is the first argument.
func (l *loader) first(args []any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("a tensor is rebuilt from nothing")
	}
	if a, ok := args[0].(*pickle.Array); ok {
		if t := l.fromArray(a); t != nil {
			return t, nil
		}
		return nil, nil
	}
	if t, ok := args[0].(*Tensor); ok {
		return t, nil
	}
	return nil, nil
}

// rebuildTensor is torch._utils._rebuild_tensor_v2(storage, offset, size,
// stride, requires_grad, hooks[, metadata]), and its kin that begin so.
func rebuildTensor(args []any) (any, error) {
	if len(args) < 4 || len(args) > 7 {
		return nil, fmt.Errorf("a tensor is rebuilt from %d values", len(args))
	}
	s, ok := args[0].(*storage)
	if !ok {
		// A storage of a type that is not for weights, say complex: whoever asks
		// for this tensor learns that it is missing.
		return nil, nil
	}
	offset, err := toInt(args[1])
	if err != nil {
		return nil, err
	}
	shape, err := toInts(args[2])
	if err != nil {
		return nil, err
	}
	strides, err := toInts(args[3])
	if err != nil {
		return nil, err
	}
	view := tensor.View{DType: s.dtype, Offset: offset, Shape: shape, Strides: strides}
	return &Tensor{View: view, storage: s, fault: lazy(args)}, nil
}

// lazy reports a view that is to be negated or conjugated when it is read, which
// its metadata, the seventh argument, say.
func lazy(args []any) error {
	if len(args) < 7 {
		return nil
	}
	metadata, _ := args[6].(*pickle.Dict)
	for k, v := range metadata.All() {
		if v != false {
			return fmt.Errorf("it is a lazy view (%.40q); save tensor.resolve_neg().resolve_conj() instead", k)
		}
	}
	return nil
}

// arrayTypes are NumPy's abbreviations of the element types.
var arrayTypes = map[string]tensor.DType{
	"f8": tensor.Float64, "f4": tensor.Float32, "f2": tensor.Float16,
	"i8": tensor.Int64, "i4": tensor.Int32, "i2": tensor.Int16, "i1": tensor.Int8, "u1": tensor.Uint8, "b1": tensor.Bool,
}

// fromArray makes a tensor of an array whose bytes lie in the pickle; nil if its
// type is not read.
func (l *loader) fromArray(a *pickle.Array) *Tensor {
	dtype, ok := arrayTypes[a.DType]
	if !ok || a.BigEndian && dtype.Size() > 1 {
		return nil
	}
	s := &storage{key: "in the pickle", dtype: dtype, numel: a.Numel()}
	s.find = func() (source, error) {
		return &stream{size: int64(s.numel) * int64(dtype.Size()), open: func() (io.ReadCloser, error) {
			return io.NopCloser(a.Open(l.r)), nil
		}}, nil
	}
	l.storages = append(l.storages, s)
	t := &Tensor{View: tensor.View{DType: dtype, Shape: a.Shape, Strides: tensor.Strides(a.Shape)}, storage: s}
	if a.Fortran {
		t.Strides = make([]int, len(a.Shape))
		stride := 1
		for i, d := range a.Shape {
			t.Strides[i] = stride
			stride *= d
		}
	}
	return t
}

var storageTypes = map[string]tensor.DType{
	"FloatStorage":    tensor.Float32,
	"DoubleStorage":   tensor.Float64,
	"HalfStorage":     tensor.Float16,
	"BFloat16Storage": tensor.BFloat16,
	"CharStorage":     tensor.Int8,
	"ShortStorage":    tensor.Int16,
	"IntStorage":      tensor.Int32,
	"LongStorage":     tensor.Int64,
	"ByteStorage":     tensor.Uint8,
	"UntypedStorage":  tensor.Uint8,
	"BoolStorage":     tensor.Bool,
}

// storageType gives the element type that the class of a storage says.
func storageType(class any) (tensor.DType, bool) {
	g, _ := class.(pickle.Global)
	switch g.Module {
	case "torch", "torch.cuda", "torch.storage":
		dtype, ok := storageTypes[g.Name]
		return dtype, ok
	}
	return tensor.Invalid, false
}

// persistent implements pickle.Options.Persistent: it resolves torch's
//
//	("storage", class, key, location, numel[, view])
//	("module", class, file, source)
//
// of which the second is how legacy files of whole networks name a class.
func (l *loader) persistent(id any) (v any, kept int, err error) {
	t, ok := id.(*pickle.Tuple)
	if !ok || len(t.Items) == 0 {
		return nil, 0, nil
	}
	switch {
	case t.Items[0] == "module" && len(t.Items) > 1:
		return t.Items[1], 0, nil
	case t.Items[0] != "storage" || len(t.Items) < 5:
		return nil, 0, nil
	}
	dtype, ok := storageType(t.Items[1])
	if !ok {
		return nil, 0, nil
	}
	key, ok := t.Items[2].(string)
	if !ok {
		return nil, 0, fmt.Errorf("a storage's key is of type %s", pickle.TypeOf(t.Items[2]))
	}
	numel, err := toInt(t.Items[4])
	if err != nil {
		return nil, 0, fmt.Errorf("storage %q: %w", key, err)
	}
	if numel < 0 || numel > math.MaxInt/8 {
		return nil, 0, fmt.Errorf("storage %q claims %d elements", key, numel)
	}
	if len(t.Items) > 5 && t.Items[5] != nil {
		return nil, 0, fmt.Errorf("storage %q is a view of another storage, as only torch before 0.4 wrote; load and save the file with a newer torch", key)
	}
	if have, ok := l.byKey[key]; ok {
		if have.dtype != dtype || have.numel != numel {
			return nil, 0, fmt.Errorf("storage %q is described in two ways", key)
		}
		return have, 0, nil
	}
	s := &storage{key: key, dtype: dtype, numel: numel}
	s.find = func() (source, error) { return l.find(s) }
	l.byKey[key] = s
	l.storages = append(l.storages, s)
	return s, storageCost + len(key), nil
}

// storageCost is about how many bytes are kept of a storage.
const storageCost = 250

func toInt(v any) (int, error) {
	switch v := v.(type) {
	case int64:
		if int64(int(v)) == v {
			return int(v), nil
		}
		return 0, fmt.Errorf("the number %d is too large for this machine", v)
	case *big.Int:
		return 0, fmt.Errorf("the number %.40s... is no size", v.String())
	}
	return 0, fmt.Errorf("a value of type %s stands where a number belongs", pickle.TypeOf(v))
}

// maxDims is how many dimensions PyTorch's tensors can have.
const maxDims = 64

func toInts(v any) ([]int, error) {
	t, ok := v.(*pickle.Tuple)
	if !ok {
		return nil, fmt.Errorf("a value of type %s stands where a shape belongs", pickle.TypeOf(v))
	}
	if len(t.Items) > maxDims || t.Emptied() {
		return nil, errors.New("a tensor has more dimensions than torch's can have")
	}
	ints := make([]int, len(t.Items))
	for i := range ints {
		var err error
		if ints[i], err = toInt(t.Items[i]); err != nil {
			return nil, err
		}
	}
	return ints, nil
}
