package config

import (
	"errors"
	"fmt"
	"strconv"

	"repvgg/internal/config/value"
)

const (
	baseKey        = "_base_"
	deleteKey      = "_delete_"
	deprecationKey = "_deprecation_"
	importsKey     = "custom_imports"
)

// A merger merges a child's values into its base, as mmcv's Config._merge_a_into_b
// does. Dicts are merged key by key; any other value replaces the base's. A child
// dict with _delete_=True also replaces the base's value.
type merger struct {
	// listKeys allows a dict with numeric keys to change single elements of a list.
	// Overrides such as data.test.pipeline.1.size need it.
	listKeys bool
}

// dict merges child into base, in place. path is the dotted path of both.
func (m merger) dict(child, base *value.Dict, path string) error {
	for _, key := range child.Keys() {
		v, _ := child.Get(key)
		at := value.Join(path, key)
		target := m.targetKey(base, key)
		old, exists := base.Get(target)
		merged, err := m.value(v, old, exists, key, at)
		if err != nil {
			return err
		}
		base.Set(target, merged)
	}
	return nil
}

// value returns the result of merging v into old, the base's value of key.
func (m merger) value(v, old value.Value, exists bool, key value.Value, path string) (value.Value, error) {
	child, ok := v.(*value.Dict)
	if !ok {
		return v, nil
	}
	deleted, err := popDelete(child, path)
	if err != nil {
		return nil, err
	}
	if !exists || deleted {
		return child, stripDelete(child, path)
	}
	switch old := old.(type) {
	case *value.Dict:
		return old, m.dict(child, old, path)
	case value.List:
		if m.listKeys {
			return old, m.items(child, old, "list", path)
		}
	case value.Tuple:
		if m.listKeys {
			return old, m.items(child, old, "tuple", path)
		}
	}
	return nil, fmt.Errorf("%s: %v=%s in child config cannot inherit from base because %v is a dict in the "+
		"child config but is of type <class '%s'> in base config. You may set `_delete_=True` to ignore the base config",
		path, key, value.Brief(child), key, value.TypeName(old))
}

// items changes single elements of a list or tuple in place.
func (m merger) items(child *value.Dict, items []value.Value, kind, path string) error {
	for _, key := range child.Keys() {
		v, _ := child.Get(key)
		name := fmt.Sprint(key)
		index, ok := parseIndex(name)
		if !ok {
			return fmt.Errorf("%s is a %s of length %d: use the index of an element, not %q", path, kind, len(items), name)
		}
		if index >= len(items) {
			var whole value.Value = value.List(items)
			if kind == "tuple" {
				whole = value.Tuple(items)
			}
			return fmt.Errorf("%s: index %s exceeds the length of %s %s", path, name, kind, value.Brief(whole))
		}
		merged, err := m.value(v, items[index], true, key, value.Join(path, index))
		if err != nil {
			return err
		}
		items[index] = merged
	}
	return nil
}

// targetKey returns the key of base that key refers to. An override writes the
// integer key in {2: 4} as the string "2".
func (m merger) targetKey(base *value.Dict, key value.Value) value.Value {
	name, ok := key.(string)
	if !m.listKeys || !ok {
		return key
	}
	if _, ok := base.Get(name); ok {
		return name
	}
	index, ok := parseIndex(name)
	if !ok {
		return name
	}
	for _, k := range base.Keys() {
		if _, ok := k.(int64); ok {
			return int64(index)
		}
	}
	return name
}

// popDelete removes _delete_ from d and reports whether it was true.
func popDelete(d *value.Dict, path string) (bool, error) {
	v, ok := d.Remove(deleteKey)
	if !ok {
		return false, nil
	}
	deleted, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%s: want True or False, got %s", value.Join(path, deleteKey), value.Brief(v))
	}
	return deleted, nil
}

// stripDelete removes _delete_ from a dict without a base, and from the dicts in
// it.
func stripDelete(d *value.Dict, path string) error {
	if _, err := popDelete(d, path); err != nil {
		return err
	}
	for key, v := range d.All() {
		if child, ok := v.(*value.Dict); ok {
			if err := stripDelete(child, value.Join(path, key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseIndex parses a list index, which is decimal digits only.
func parseIndex(s string) (int, bool) {
	if s == "" {
		return 0, false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	if errors.Is(err, strconv.ErrRange) {
		return 1<<31 - 1, true // longer than any list, so reported as out of range
	}
	return n, err == nil
}
