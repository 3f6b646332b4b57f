package checkpoint

import (
	"errors"
	"fmt"
	"math/big"

	"repvgg/internal/pickle"
	"repvgg/internal/tensor"
)

// classFor gives what a class or function named in a pickle stands for. Only
// the handful that rebuild tensors mean anything; any other name becomes an
// opaque placeholder, so that a checkpoint of an unknown framework loads and
// nothing of it runs.
func classFor(module, name string) (any, error) {
	if runsCode(module, name) {
		return nil, fmt.Errorf("it asks whoever loads it to call %.80q, which no checkpoint needs: it may be malicious, and nothing of it was run", module+"."+name)
	}
	switch module {
	case "torch", "torch.cuda", "torch.storage":
		if dtype, ok := storageTypes[name]; ok {
			return storageClass{dtype}, nil
		}
		if name == "Size" {
			return function(func(args []any) (any, error) {
				if len(args) != 1 {
					return nil, errors.New("torch.Size takes one tuple")
				}
				return args[0], nil
			}), nil
		}
	case "torch._utils":
		switch name {
		case "_rebuild_tensor", "_rebuild_tensor_v2":
			return function(rebuildTensor), nil
		case "_rebuild_parameter", "_rebuild_parameter_with_state":
			return function(firstTensor), nil
		}
	case "torch._tensor":
		if name == "_rebuild_from_type_v2" {
			return function(rebuildFromType), nil
		}
	}
	return &opaque{}, nil
}

// runsCode tells whether a name is one with which pickles attack whoever loads
// them in Python. Here nothing is called whatever its name is; a file that has
// one is refused so that nobody passes it on.
func runsCode(module, name string) bool {
	switch module {
	case "os", "posix", "nt", "subprocess", "sys", "pty", "runpy", "importlib", "shutil", "socket", "code", "ctypes", "commands":
		return true
	case "builtins", "__builtin__":
		switch name {
		case "eval", "exec", "execfile", "compile", "open", "getattr", "setattr", "__import__", "input", "breakpoint", "globals", "apply":
			return true
		}
	}
	return false
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

// storageClass is the class of a storage, which says its element type.
type storageClass struct{ dtype tensor.DType }

// function stands for one of torch's functions that rebuild a value.
type function func(args []any) (any, error)

// Call implements gopickle's types.Callable.
func (f function) Call(args ...any) (any, error) { return f(args) }

// opaque stands for a class that means nothing here and for its instances. It
// takes whatever a pickle does to an object, and does nothing.
type opaque struct{}

// Call implements gopickle's types.Callable.
func (*opaque) Call(...any) (any, error) { return &opaque{}, nil }

// PyNew implements gopickle's types.PyNewable.
func (*opaque) PyNew(...any) (any, error) { return &opaque{}, nil }

// PySetState implements gopickle's types.PyStateSettable.
func (*opaque) PySetState(any) error { return nil }

// Set implements gopickle's types.DictSetter.
func (*opaque) Set(_, _ any) {}

// Append implements gopickle's types.ListAppender.
func (*opaque) Append(any) {}

// Add implements gopickle's types.SetAdder.
func (*opaque) Add(any) {}

// rebuildTensor is torch._utils._rebuild_tensor_v2(storage, offset, size,
// stride, requires_grad, hooks[, metadata]), and its predecessor of four
// arguments.
func rebuildTensor(args []any) (any, error) {
	if len(args) < 4 || len(args) > 7 {
		return nil, fmt.Errorf("a tensor is rebuilt from %d values", len(args))
	}
	if len(args) == 7 {
		// Metadata: a view that is to be negated or conjugated when it is read.
		for k, v := range dictItemsOrNone(args[6]) {
			if v != false {
				return nil, fmt.Errorf("a tensor is a lazy view (%v); save tensor.resolve_neg().resolve_conj() instead", k)
			}
		}
	}
	s, ok := args[0].(*storage)
	if !ok {
		// A storage of a type that is not for weights, say complex: whoever asks
		// for this tensor learns that it is missing.
		return &opaque{}, nil
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
	return &Tensor{View: view, storage: s}, nil
}

// firstTensor is torch._utils._rebuild_parameter(data, requires_grad, hooks).
func firstTensor(args []any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("a parameter is rebuilt from nothing")
	}
	return args[0], nil
}

// rebuildFromType is torch._tensor._rebuild_from_type_v2(function, type, args,
// state), which wraps one of the functions above.
func rebuildFromType(args []any) (any, error) {
	if len(args) == 4 {
		f, okF := args[0].(function)
		inner, okArgs := args[2].(*pickle.Tuple)
		if okF && okArgs {
			return f(*inner)
		}
	}
	return &opaque{}, nil
}

func toInt(v any) (int, error) {
	switch v := v.(type) {
	case int:
		return v, nil
	case *big.Int:
		return 0, fmt.Errorf("the number %.40s... is no size", v.String())
	}
	return 0, fmt.Errorf("a %T stands where a number belongs", v)
}

// maxDims is how many dimensions PyTorch's tensors can have.
const maxDims = 64

func toInts(v any) ([]int, error) {
	t, ok := v.(*pickle.Tuple)
	if !ok {
		return nil, fmt.Errorf("a %T stands where a shape belongs", v)
	}
	if t.Len() > maxDims {
		return nil, fmt.Errorf("a tensor has %d dimensions", t.Len())
	}
	ints := make([]int, t.Len())
	for i := range ints {
		var err error
		if ints[i], err = toInt(t.Get(i)); err != nil {
			return nil, err
		}
	}
	return ints, nil
}
