package checkpoint

import (
	"bufio"
	"bytes"
	"strconv"

	"repvgg/internal/python/pickle"
	"repvgg/internal/tensor"
)

// stateDict pickles what torch.save(model.state_dict()) does, with no globals
// but those that torch.load(weights_only=True) allows: an OrderedDict of float32
// tensors whose storages are numbered in order, with the attribute _metadata,
// which gives the version of each module (1: modules have had no other since
// they have one; batch normalizations are gone).
func stateDict(specs []tensor.Spec, modules []string) []byte {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	p := pickler{pickle.NewEncoder(w)}
	p.orderedDict()
	p.Put(pickle.Mark)
	for i, spec := range specs {
		p.Str(spec.Name)
		p.tensor(strconv.Itoa(i), spec)
	}
	p.Put(pickle.SetItems, pickle.EmptyDict) // the attributes
	p.Str("_metadata")
	p.orderedDict()
	p.Put(pickle.Mark)
	for _, m := range modules {
		p.Str(m)
		p.Put(pickle.EmptyDict)
		p.Str("version")
		p.Int(1)
		p.Put(pickle.SetItem)
	}
	p.Put(pickle.SetItems, pickle.SetItem, pickle.Build)
	p.End()
	_ = w.Flush() // into memory, which never fails
	return b.Bytes()
}

// pickler writes the few things a state dict is made of.
type pickler struct{ *pickle.Encoder }

func (p pickler) orderedDict() {
	p.Global("collections", "OrderedDict")
	p.Put(pickle.EmptyTuple, pickle.Reduce)
}

// tensor writes _rebuild_tensor_v2(storage, 0, shape, strides, False, {}).
func (p pickler) tensor(key string, spec tensor.Spec) {
	p.Global("torch._utils", "_rebuild_tensor_v2")
	p.Put(pickle.Mark, pickle.Mark) // of the arguments and of the persistent id
	p.Str("storage")
	p.Global("torch", "FloatStorage")
	p.Str(key)
	p.Str("cpu")
	p.Int(spec.Numel())
	p.Put(pickle.MarkTuple, pickle.PersID)
	p.Int(0)
	p.tuple(spec.Shape)
	p.tuple(tensor.Strides(spec.Shape))
	p.Put(pickle.False) // requires_grad
	p.orderedDict()     // no hooks
	p.Put(pickle.MarkTuple, pickle.Reduce)
}

func (p pickler) tuple(values []int) {
	p.Put(pickle.Mark)
	for _, v := range values {
		p.Int(v)
	}
	p.Put(pickle.MarkTuple)
}
