// Package value defines the values of configs, which are Python's: None, bool, int,
// float, str, list, tuple and dict. It formats them as Python does, and bounds how
// many of them one file may hold.
package value

import (
	"fmt"
	"iter"
	"strings"
)

// A Value is one of nil (None), bool, int64, float64, string, List, Tuple and
// *Dict.
type Value = any

// A List is a Python list.
type List []Value

// A Tuple is a Python tuple.
type Tuple []Value

// A Dict is a Python dict. It keeps the order in which keys were first set. Keys
// are strings or int64; an int key is converted to int64. The zero Dict is empty
// and ready to use, and a nil *Dict reads as an empty one.
type Dict struct {
	keys   []Value
	values map[Value]Value
}

// Len returns the number of keys.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.keys)
}

// Keys returns the keys in order. The caller must not change the slice.
func (d *Dict) Keys() []Value {
	if d == nil {
		return nil
	}
	return d.keys
}

// All iterates over the keys, in order, and their values. During the iteration,
// values may be set, but no key may be added or removed.
func (d *Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(key, v Value) bool) {
		for _, key := range d.Keys() {
			if !yield(key, d.values[key]) {
				return
			}
		}
	}
}

// Get returns the value of key, and whether the key exists.
func (d *Dict) Get(key Value) (Value, bool) {
	if d == nil {
		return nil, false
	}
	key, ok := Key(key)
	if !ok {
		return nil, false
	}
	v, ok := d.values[key]
	return v, ok
}

// Set sets the value of key. A new key is added at the end. A key that is neither a
// string nor an integer is ignored.
func (d *Dict) Set(key, v Value) {
	key, ok := Key(key)
	if !ok {
		return
	}
	if d.values == nil {
		d.values = make(map[Value]Value)
	}
	if _, ok := d.values[key]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[key] = v
}

// Remove deletes key. It returns the value, and whether the key existed.
func (d *Dict) Remove(key Value) (Value, bool) {
	v, ok := d.Get(key)
	if !ok {
		return nil, false
	}
	delete(d.values, key)
	for i, k := range d.keys {
		if k == key {
			d.keys = append(d.keys[:i:i], d.keys[i+1:]...)
			break
		}
	}
	return v, true
}

// Equal reports whether both dicts have the same keys, in any order, with equal
// values of the same types. (go-cmp uses it.)
func (d *Dict) Equal(other *Dict) bool {
	if d.Len() != other.Len() {
		return false
	}
	for key, a := range d.All() {
		b, ok := other.Get(key)
		if !ok || !equal(a, b) {
			return false
		}
	}
	return true
}

// Key converts v to a key of a Dict. ok is false if v can't be a key.
func Key(v Value) (key Value, ok bool) {
	switch k := v.(type) {
	case string, int64:
		return v, true
	case int:
		return int64(k), true
	}
	return nil, false
}

// Items returns the elements of a list or tuple. ok is false if v is neither.
func Items(v Value) (items []Value, ok bool) {
	switch v := v.(type) {
	case List:
		return v, true
	case Tuple:
		return v, true
	}
	return nil, false
}

// Join is the dotted path of what stands at key of the container at path:
// data.test.pipeline.2. The path of the outermost container is empty. A path that
// nobody would read loses its end: values far down would take the work of all keys
// above them.
func Join(path string, key Value) string {
	const most = 1000
	if len(path) > most {
		return path
	}
	name, ok := key.(string)
	if !ok {
		name = fmt.Sprint(key)
	}
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "..."
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func equal(a, b Value) bool {
	switch a := a.(type) {
	case List:
		b, ok := b.(List)
		return ok && equalItems(a, b)
	case Tuple:
		b, ok := b.(Tuple)
		return ok && equalItems(a, b)
	case *Dict:
		b, ok := b.(*Dict)
		return ok && a.Equal(b)
	}
	switch b.(type) {
	case List, Tuple, *Dict:
		return false
	}
	return a == b
}

func equalItems(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// Clone returns a deep copy. It keeps two places of a config from sharing a
// container, which an override of one place would change in both.
func Clone(v Value) Value {
	switch v := v.(type) {
	case List:
		return List(cloneItems(v))
	case Tuple:
		return Tuple(cloneItems(v))
	case *Dict:
		out := new(Dict)
		for key, item := range v.All() {
			out.Set(key, Clone(item))
		}
		return out
	}
	return v
}

func cloneItems(items []Value) []Value {
	out := make([]Value, len(items))
	for i, item := range items {
		out[i] = Clone(item)
	}
	return out
}

// TypeName returns the name of the type, as Python's type(v).__name__ does.
func TypeName(v Value) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case List:
		return "list"
	case Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	}
	return fmt.Sprintf("%T", v)
}
