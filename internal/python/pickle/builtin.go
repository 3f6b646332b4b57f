package pickle

import (
	"cmp"
	"strings"
)

// renamed are the modules that Python 2 and NumPy 2 call otherwise.
var renamed = map[string]string{"__builtin__": "builtins", "copy_reg": "copyreg"}

// builtin gives what a call of Python's own containers and of NumPy's arrays
// comes to; nil for any other.
func (m *machine) builtin(f Global, args []any) (any, error) {
	module := f.Module
	if as, ok := renamed[module]; ok {
		module = as
	}
	if rest, ok := strings.CutPrefix(module, "numpy._core."); ok {
		module = "numpy.core." + rest
	}
	switch module + "." + f.Name {
	case "collections.OrderedDict", "collections.Counter", "builtins.dict":
		if len(args) == 0 {
			return new(Dict), nil
		}
		return m.mapping(args[0])
	case "collections.defaultdict": // of a factory and what dict takes
		if len(args) < 2 {
			return new(Dict), nil
		}
		return m.mapping(args[1])
	case "builtins.list", "builtins.set", "builtins.frozenset":
		l := &List{node: node{cost: objectCost}}
		if len(args) == 0 {
			return l, nil
		}
		items, whole := itemsOf(args[0])
		l.emptied = !whole
		return l, cmp.Or(m.copy(len(items)), m.add(l, items))
	case "builtins.bytearray":
		if len(args) == 1 {
			if b, ok := args[0].(Bytes); ok {
				return b, nil
			}
		}
	case "copyreg._reconstructor": // of a class, what it is built on, and that one's value
		if len(args) == 3 {
			return m.reconstructed(args)
		}
	case "_codecs.encode": // of text and its encoding
		if len(args) == 2 && args[1] == "latin1" {
			return encodeLatin1(args[0])
		}
	case "numpy.core.multiarray._reconstruct":
		return new(Array), nil // whose state follows
	case "numpy.core.numeric._frombuffer": // of bytes, dtype, shape and order
		if len(args) == 4 {
			return arrayOf(args[0], args[1], args[2], args[3] == "F")
		}
	case "numpy.dtype":
		if len(args) > 0 {
			if name, ok := args[0].(string); ok {
				return &dtype{name: name}, nil
			}
		}
	}
	return nil, nil
}

// copy notes that n items are about to be copied. Each took a byte of the pickle
// at least; a pickle that has copied more, copies the same ones again and again.
func (m *machine) copy(n int) error {
	if m.copied += int64(n); m.copied > m.d.pos {
		return damaged("it copies the same items again and again")
	}
	return nil
}

// itemsOf are the items of a list or tuple.
func itemsOf(v any) ([]any, bool) {
	switch v := v.(type) {
	case *List:
		return v.Items, !v.emptied
	case *Tuple:
		return v.Items, !v.emptied
	}
	return nil, false
}

// mapping is dict(v): of another dict, or of a list of keys and values, which is
// how Python 2 pickles an OrderedDict.
func (m *machine) mapping(v any) (any, error) {
	d := &Dict{node: node{cost: objectCost}}
	if from, ok := v.(*Dict); ok {
		d.emptied = from.emptied
		if err := m.copy(len(from.Entries)); err != nil {
			return nil, err
		}
		for k, v := range from.All() {
			if err := m.set(d, k, v); err != nil {
				return nil, err
			}
		}
		return d, nil
	}
	pairs, whole := itemsOf(v)
	d.emptied = !whole
	if err := m.copy(len(pairs)); err != nil {
		return nil, err
	}
	for _, p := range pairs {
		pair, ok := itemsOf(p)
		if !ok || len(pair) != 2 {
			return nil, damaged("an item of a dict is no key and value")
		}
		if err := m.set(d, pair[0], pair[1]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// reconstructed makes the object of a class that protocols 0 and 1 describe.
func (m *machine) reconstructed(args []any) (any, error) {
	o := new(Object)
	o.Class, _ = args[0].(Global)
	if _, ok := args[2].(*Dict); ok { // the class is a kind of dict
		items, err := m.mapping(args[2])
		if err != nil {
			return nil, err
		}
		o.Items = items.(*Dict)
		o.cost = objectCost + o.Items.cost
		o.wanted = o.Items.wanted
	}
	return o, nil
}

// encodeLatin1 is what Python 3 makes of bytes in protocol 2.
func encodeLatin1(v any) (any, error) {
	switch v := v.(type) {
	case *Blob:
		b := *v
		b.Latin1 = true
		return &b, nil
	case string:
		b := make([]byte, 0, len(v))
		for _, r := range v {
			if r > 0xff {
				return nil, errNotLatin1
			}
			b = append(b, byte(r))
		}
		return Bytes(b), nil
	}
	return nil, damaged("it encodes a value of type %s", TypeOf(v))
}
