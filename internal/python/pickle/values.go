package pickle

import (
	"fmt"
	"iter"
	"math/big"
	"slices"
)

// The values of a pickle are these and nil (None), bool, int64, *big.Int (an int
// beyond 64 bits), float64 and string (str, also Python 2's).
type (
	// Bytes is a bytes or bytearray.
	Bytes string

	// Tuple is a tuple.
	Tuple struct {
		node
		Items []any
	}

	// List is a list, a set or a frozenset. One of more than maxItems is kept
	// without its items.
	List struct {
		node
		Items []any
		// Len is the number of items, also of those that were not kept.
		Len int
	}

	// Dict is a dict or one of its kin in collections.
	Dict struct {
		node
		// Entries are those whose key is a str or bytes, in the order of the
		// pickle. A key may be there twice: the last one counts.
		Entries []Entry
		// Len is the number of entries, also of those that were not kept.
		Len int
	}

	// Entry is one of a Dict.
	Entry struct {
		Key   string
		Value any
	}

	// Object is what a call of a class or function gives that nobody knows.
	Object struct {
		node
		// Class is what was called; the zero Global if that was itself such an
		// object.
		Class Global
		// State is what the object was given to restore itself from: most often a
		// Dict of its attributes.
		State any
		// Items are what was set by key, if the class is a kind of dict; else nil.
		Items *Dict
	}
)

// Global is a class or function that a pickle names. On its own it is a value,
// too.
type Global struct{ Module, Name string }

func (g Global) String() string { return g.Module + "." + g.Name }

// Get gives the value of a key, nil if there is none.
func (d *Dict) Get(key string) any {
	if d == nil {
		return nil
	}
	for _, e := range slices.Backward(d.Entries) {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// All goes through the entries.
func (d *Dict) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if d == nil {
			return
		}
		for _, e := range d.Entries {
			if !yield(e.Key, e.Value) {
				return
			}
		}
	}
}

// Attributes are the object's own: its state where that is a dict, else nil.
func (o *Object) Attributes() *Dict {
	switch s := o.State.(type) {
	case *Dict:
		return s
	case *Tuple: // of the attributes and of those in __slots__
		if len(s.Items) == 2 {
			d, _ := s.Items[0].(*Dict)
			return d
		}
	}
	return nil
}

// TypeOf names the type of a value as Python does, for messages.
func TypeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case Bytes:
		return "bytes"
	case *Blob:
		return "long str"
	case *Tuple:
		return "tuple"
	case *List:
		return "list"
	case *Dict:
		return "dict"
	case *Array:
		return "numpy.ndarray"
	case Global:
		return fmt.Sprintf("reference to %.80q", v.String())
	case *Object:
		if v.Class != (Global{}) {
			return fmt.Sprintf("%.80q", v.Class.String())
		}
	}
	return "Python object"
}

// Sized is a value of the caller's own that its functions give Load: what the
// pickle is read for. A dict or tuple that holds one is kept, however large it is.
type Sized interface {
	// Size is about how many bytes of memory the value takes.
	Size() int
}

// node is what Load knows of a container while it fills it.
type node struct {
	// cost is about how many bytes the container takes, with those of its items
	// that only it refers to.
	cost int
	// shared says that others may refer to it, too.
	shared bool
	// wanted says that it holds a Sized value.
	wanted bool
	// emptied says that its items were too many, or took too much, to be kept.
	emptied bool
}

func (n *node) header() *node { return n }

// Emptied tells whether the value held too much to be kept, and was.
func (n *node) Emptied() bool { return n.emptied }

// container is a value that holds others.
type container interface {
	header() *node
	// clear lets the items go.
	clear()
}

func (t *Tuple) clear()  { t.Items = nil }
func (l *List) clear()   { l.Items = nil }
func (d *Dict) clear()   { d.Entries = nil }
func (o *Object) clear() { o.State, o.Items = nil, nil }
