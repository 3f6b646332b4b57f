package config

import (
	"errors"
	"fmt"
	"strings"
)

// A Value is one of nil (None), bool, int64, float64, string, List, Tuple and
// *Dict.
type Value = any

// A List is a Python list.
type List []Value

// A Tuple is a Python tuple.
type Tuple []Value

// A Dict is a Python dict: it keeps the order in which keys were first set.
// Keys are strings or int64; an int key is taken as int64. The zero Dict is
// empty and ready to use, and a nil *Dict reads as an empty one.
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

// Get returns the value of key and whether it is there.
func (d *Dict) Get(key Value) (Value, bool) {
	if d == nil {
		return nil, false
	}
	key, ok := normalKey(key)
	if !ok {
		return nil, false
	}
	v, ok := d.values[key]
	return v, ok
}

// Set sets the value of key, at the end when the key is new. A key that is
// neither a string nor an integer is ignored.
func (d *Dict) Set(key, v Value) {
	key, ok := normalKey(key)
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

// Equal reports whether both dicts hold equal values of the same types under
// the same keys, in any order. (go-cmp uses it.)
func (d *Dict) Equal(other *Dict) bool {
	if d.Len() != other.Len() {
		return false
	}
	for _, key := range d.Keys() {
		a, _ := d.Get(key)
		b, ok := other.Get(key)
		if !ok || !equal(a, b) {
			return false
		}
	}
	return true
}

// remove deletes key and reports whether it was there.
func (d *Dict) remove(key Value) (Value, bool) {
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

func normalKey(key Value) (Value, bool) {
	switch k := key.(type) {
	case string, int64:
		return key, true
	case int:
		return int64(k), true
	}
	return nil, false
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

// clone returns a deep copy, so that two places of a config never share a
// container that an override of one of them would change in both.
func clone(v Value) Value {
	switch v := v.(type) {
	case List:
		return List(cloneItems(v))
	case Tuple:
		return Tuple(cloneItems(v))
	case *Dict:
		out := new(Dict)
		for _, key := range v.Keys() {
			out.Set(key, clone(v.values[key]))
		}
		return out
	}
	return v
}

func cloneItems(items []Value) []Value {
	out := make([]Value, len(items))
	for i, item := range items {
		out[i] = clone(item)
	}
	return out
}

// pythonType names the type as Python's type(v).__name__ does.
func pythonType(v Value) string {
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

// The bounds of one file's value. Real configs hold at most some thousand
// values; aliases and repeated references can make a small text hold billions.
const (
	maxValues = 1 << 20
	maxDepth  = 100
)

var (
	errTooManyValues = errors.New("too many values: a config holds at most 1048576")
	errTooDeep       = errors.New("values are nested deeper than 100 levels")
)

// A sizer counts the values of a file while they are being converted.
type sizer struct{ values, depth int }

// enter counts one value; the caller calls leave when its content is done.
func (s *sizer) enter() error {
	s.values++
	s.depth++
	if s.values > maxValues {
		return errTooManyValues
	}
	if s.depth > maxDepth {
		return errTooDeep
	}
	return nil
}

func (s *sizer) leave() { s.depth-- }

// keyList writes the keys of d as an error message lists them.
func keyList(d *Dict) string {
	if d.Len() == 0 {
		return "nothing"
	}
	names := make([]string, 0, d.Len())
	for _, key := range d.Keys() {
		if len(names) == 20 {
			names = append(names, "...")
			break
		}
		names = append(names, fmt.Sprint(key))
	}
	return strings.Join(names, ", ")
}
