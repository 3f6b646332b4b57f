package checkpoint

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"repvgg/internal/tensor"
)

// pickler writes the few things a state dict is made of, in protocol 2 and with
// no globals but those that torch.load(weights_only=True) allows.
type pickler struct{ bytes.Buffer }

// stateDict writes what torch.save(model.state_dict()) writes: an OrderedDict
// of float32 tensors whose storages are numbered in order, with the attribute
// _metadata, which gives the version of each module (1: modules have had no
// other since they have one; batch normalizations are gone).
func stateDict(specs []tensor.Spec, modules []string) []byte {
	var p pickler
	p.WriteString("\x80\x02") // PROTO 2
	p.orderedDict()
	p.WriteByte('(') // MARK
	for i, spec := range specs {
		p.str(spec.Name)
		p.tensor(strconv.Itoa(i), spec)
	}
	p.WriteByte('u') // SETITEMS
	p.WriteByte('}') // the attributes
	p.str("_metadata")
	p.orderedDict()
	p.WriteByte('(')
	for _, m := range modules {
		p.str(m)
		p.WriteByte('}')
		p.str("version")
		p.integer(1)
		p.WriteByte('s') // SETITEM
	}
	p.WriteString("us") // SETITEMS of the modules, SETITEM of the attribute
	p.WriteString("b.") // BUILD, STOP
	return p.Bytes()
}

func (p *pickler) global(module, name string) { p.WriteString("c" + module + "\n" + name + "\n") }

func (p *pickler) orderedDict() {
	p.global("collections", "OrderedDict")
	p.WriteString(")R") // EMPTY_TUPLE, REDUCE
}

// tensor writes _rebuild_tensor_v2(storage, 0, shape, strides, False, {}).
func (p *pickler) tensor(key string, spec tensor.Spec) {
	p.global("torch._utils", "_rebuild_tensor_v2")
	p.WriteString("((") // MARK of the arguments, MARK of the persistent id
	p.str("storage")
	p.global("torch", "FloatStorage")
	p.str(key)
	p.str("cpu")
	p.integer(spec.Numel())
	p.WriteString("tQ") // TUPLE, BINPERSID
	p.integer(0)
	p.tuple(spec.Shape)
	p.tuple(tensor.Strides(spec.Shape))
	p.WriteByte(0x89) // NEWFALSE: requires_grad
	p.orderedDict()   // no hooks
	p.WriteString("tR")
}

func (p *pickler) tuple(values []int) {
	p.WriteByte('(')
	for _, v := range values {
		p.integer(v)
	}
	p.WriteByte('t')
}

func (p *pickler) str(s string) {
	p.WriteByte('X') // BINUNICODE
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	p.WriteString(s)
}

// integer writes a number that is not negative.
func (p *pickler) integer(n int) {
	switch {
	case n < 1<<8:
		p.Write([]byte{'K', byte(n)}) // BININT1
	case n < 1<<16:
		p.WriteByte('M') // BININT2
		p.Write(binary.LittleEndian.AppendUint16(nil, uint16(n)))
	case int64(n) < 1<<31:
		p.WriteByte('J') // BININT
		p.Write(binary.LittleEndian.AppendUint32(nil, uint32(n)))
	default:
		p.WriteString("\x8a\x08") // LONG1 of 8 bytes
		p.Write(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	}
}
