package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"repvgg/internal/config/value"
)

// Decode fills the struct that dst points to from the section's keys, by tag:
//
//	Size    value.Value    `config:"size,required"` // as it is
//	Backend string   `config:"backend"`
//	SE      *seCfg   `config:"se_cfg"`        // None gives nil
//	Blocks  []int    `config:"num_blocks"`    // from a list or tuple
//	Groups  map[int]int `config:"group_layer_map"`
//	Test    Section  `config:"test"`
//
// A field without the tag is left alone, except that the fields of an embedded
// struct count as the struct's own. The field of an absent key keeps its value,
// which serves as the default. An int is converted to a float if the field is one,
// and must fit the field. Nothing else is converted. The error names the file, the
// path, what was wanted and what is there.
func (s Section) Decode(dst any) error { return s.decodeStruct(dst, false) }

// DecodeStrict is like Decode, but refuses keys for which the struct, or a nested
// struct, has no field. The key "type" is always allowed.
func (s Section) DecodeStrict(dst any) error { return s.decodeStruct(dst, true) }

func (s Section) decodeStruct(dst any, strict bool) error {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return s.Errorf("", "decoding: want a pointer to a struct, got %T", dst)
	}
	return decoder{strict}.fields(s, v.Elem())
}

type decoder struct{ strict bool }

// A field is a tagged field of a struct.
type field struct {
	key      string
	required bool
	value    reflect.Value
}

// fieldsOf lists the tagged fields of a struct, including those of embedded
// structs.
func fieldsOf(v reflect.Value) []field {
	var out []field
	for i := range v.NumField() {
		info := v.Type().Field(i)
		tag, ok := info.Tag.Lookup("config")
		switch {
		case ok && info.IsExported():
			key, option, _ := strings.Cut(tag, ",")
			out = append(out, field{key, option == "required", v.Field(i)})
		case info.Anonymous && info.Type.Kind() == reflect.Struct && info.Type != sectionType:
			out = append(out, fieldsOf(v.Field(i))...)
		}
	}
	return out
}

func (d decoder) fields(s Section, v reflect.Value) error {
	fields := fieldsOf(v)
	if d.strict {
		if err := checkKnown(s, fields); err != nil {
			return err
		}
	}
	for _, f := range fields {
		v, ok := s.dict.Get(f.key)
		if !ok {
			s.mark(value.Join(s.path, f.key), false)
			if f.required {
				return s.Errorf(f.key, "missing (there is %s)", keyList(s.dict))
			}
			continue
		}
		if err := d.value(s, f.key, v, f.value); err != nil {
			return err
		}
	}
	return nil
}

func checkKnown(s Section, fields []field) error {
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
	}
	return s.Known(known...)
}

// Known returns an error if the section has keys other than these and "type".
func (s Section) Known(keys ...string) error {
	for _, key := range s.dict.Keys() {
		if name, ok := key.(string); !ok || name != "type" && !slices.Contains(keys, name) {
			return s.Errorf(fmt.Sprint(key), "unknown key: known are %s", strings.Join(slices.Sorted(slices.Values(keys)), ", "))
		}
	}
	return nil
}

var sectionType = reflect.TypeFor[Section]()

// rawTypes are the containers that are decoded without conversion.
var rawTypes = map[reflect.Type]string{
	reflect.TypeFor[value.List]():  "a list",
	reflect.TypeFor[value.Tuple](): "a tuple",
	reflect.TypeFor[*value.Dict](): "a dict",
}

// value decodes v, the value of key in s, into dst.
func (d decoder) value(s Section, key string, v value.Value, dst reflect.Value) error {
	s.mark(value.Join(s.path, key), false)
	if want, ok := rawTypes[dst.Type()]; ok {
		s.mark(value.Join(s.path, key), true)
		switch {
		case v == nil && dst.Kind() == reflect.Pointer:
			dst.SetZero()
		case reflect.TypeOf(v) != dst.Type():
			return mismatch(s, key, want, v)
		default:
			dst.Set(reflect.ValueOf(v))
		}
		return nil
	}
	if dst.Type() == sectionType {
		dict, ok := v.(*value.Dict)
		if !ok {
			return mismatch(s, key, "a dict", v)
		}
		dst.Set(reflect.ValueOf(Section{s.config, value.Join(s.path, key), dict}))
		return nil
	}
	switch dst.Kind() {
	case reflect.Interface:
		return d.raw(s, key, v, dst)
	case reflect.Pointer:
		return d.pointer(s, key, v, dst)
	case reflect.Struct:
		dict, ok := v.(*value.Dict)
		if !ok {
			return mismatch(s, key, "a dict", v)
		}
		return d.fields(Section{s.config, value.Join(s.path, key), dict}, dst)
	case reflect.Slice, reflect.Array:
		return d.items(s, key, v, dst)
	case reflect.Map:
		return d.dict(s, key, v, dst)
	}
	return scalar(s, key, v, dst)
}

func (d decoder) raw(s Section, key string, v value.Value, dst reflect.Value) error {
	if dst.NumMethod() > 0 {
		return s.Errorf(key, "decoding: cannot decode into %s", dst.Type())
	}
	s.mark(value.Join(s.path, key), true)
	if v == nil {
		dst.SetZero()
	} else {
		dst.Set(reflect.ValueOf(v))
	}
	return nil
}

func (d decoder) pointer(s Section, key string, v value.Value, dst reflect.Value) error {
	if v == nil {
		dst.SetZero()
		return nil
	}
	target := reflect.New(dst.Type().Elem())
	if !dst.IsNil() { // its fields hold the defaults
		target.Elem().Set(dst.Elem())
	}
	if err := d.value(s, key, v, target.Elem()); err != nil {
		return err
	}
	dst.Set(target)
	return nil
}

func (d decoder) items(s Section, key string, v value.Value, dst reflect.Value) error {
	items, ok := value.Items(v)
	if !ok {
		return mismatch(s, key, "a list", v)
	}
	out := reflect.New(dst.Type()).Elem()
	if dst.Kind() == reflect.Slice {
		out = reflect.MakeSlice(dst.Type(), len(items), len(items))
	} else if len(items) != dst.Len() {
		return mismatch(s, key, fmt.Sprintf("a list of %d elements", dst.Len()), v)
	}
	for i, item := range items {
		if err := d.value(s, value.Join(key, i), item, out.Index(i)); err != nil {
			return err
		}
	}
	dst.Set(out)
	return nil
}

// mapKey converts a dict's key to the kind of a map's keys: JSON writes int keys as
// strings.
func mapKey(key value.Value, kind reflect.Kind) value.Value {
	if text, ok := key.(string); ok && kind != reflect.String {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	}
	return key
}

func (d decoder) dict(s Section, key string, v value.Value, dst reflect.Value) error {
	dict, ok := v.(*value.Dict)
	if !ok {
		return mismatch(s, key, "a dict", v)
	}
	out := reflect.MakeMapWithSize(dst.Type(), dict.Len())
	for k, v := range dict.All() {
		at := value.Join(key, k)
		name := reflect.New(dst.Type().Key()).Elem()
		if err := scalar(s, at, mapKey(k, name.Kind()), name); err != nil {
			want := "a string"
			if name.Kind() != reflect.String {
				want = "an int"
			}
			return s.Errorf(at, "want %s as key, got %s", want, value.Brief(k))
		}
		item := reflect.New(dst.Type().Elem()).Elem()
		if err := d.value(s, at, v, item); err != nil {
			return err
		}
		out.SetMapIndex(name, item)
	}
	dst.Set(out)
	return nil
}

// scalar decodes into a bool, number or string.
func scalar(s Section, key string, v value.Value, dst reflect.Value) error {
	switch dst.Kind() {
	case reflect.Bool:
		b, ok := v.(bool)
		if !ok {
			return mismatch(s, key, "a bool (True or False)", v)
		}
		dst.SetBool(b)
	case reflect.String:
		text, ok := v.(string)
		if !ok {
			return mismatch(s, key, "a string", v)
		}
		dst.SetString(text)
	case reflect.Float32, reflect.Float64:
		switch n := v.(type) {
		case float64:
			dst.SetFloat(n)
		case int64:
			dst.SetFloat(float64(n))
		default:
			return mismatch(s, key, "a number", v)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := v.(int64)
		if !ok {
			return mismatch(s, key, "an int", v)
		}
		if dst.OverflowInt(n) {
			return mismatch(s, key, fmt.Sprintf("an int of %d bits", dst.Type().Bits()), v)
		}
		dst.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := v.(int64)
		if !ok {
			return mismatch(s, key, "an int", v)
		}
		if n < 0 || dst.OverflowUint(uint64(n)) {
			return mismatch(s, key, fmt.Sprintf("an int >= 0 of %d bits", dst.Type().Bits()), v)
		}
		dst.SetUint(uint64(n))
	default:
		return s.Errorf(key, "decoding: cannot decode into %s", dst.Type())
	}
	return nil
}

func mismatch(s Section, key, want string, v value.Value) error {
	return s.Errorf(key, "want %s, got %s", want, value.Brief(v))
}
