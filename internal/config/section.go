package config

import (
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/config/value"
)

// A Section is a dict at a dotted path of a Config. Reading a key marks it as read,
// for Unread.
type Section struct {
	config *Config
	path   string
	dict   *value.Dict
}

// Root returns the whole config as a section with the path "".
func (c *Config) Root() Section { return Section{c, "", c.root} }

// Unread returns the overrides, as given, whose values nothing has read. They may
// be misspelt, or set a variable such as test_pipeline that the config has already
// used.
func (c *Config) Unread() []string {
	var unread []string
	for _, o := range c.overrides {
		if !c.wasRead(o.path) && !slices.Contains(unread, o.text) {
			unread = append(unread, o.text)
		}
	}
	return unread
}

// wasRead reports whether the value at path, a part of it, or a container that
// holds it as a whole was read.
func (c *Config) wasRead(path string) bool {
	if _, ok := c.reads[path]; ok || c.reads[""] {
		return true
	}
	for i := range len(path) {
		if path[i] == '.' && c.reads[path[:i]] {
			return true
		}
	}
	for read := range c.reads {
		if strings.HasPrefix(read, path+".") {
			return true
		}
	}
	return false
}

// mark records that path was read, together with everything below it if whole is
// true.
func (s Section) mark(path string, whole bool) {
	if s.config != nil {
		s.config.reads[path] = s.config.reads[path] || whole
	}
}

// Path returns the dotted path: "model.backbone". List elements are counted from 0:
// "data.test.pipeline.2".
func (s Section) Path() string { return s.path }

// Has reports whether the section has key, even if its value is None.
func (s Section) Has(key string) bool {
	s.mark(value.Join(s.path, key), false)
	_, ok := s.dict.Get(key)
	return ok
}

// Section returns the dict at key. It is an error if the key is missing or not a
// dict.
func (s Section) Section(key string) (Section, error) {
	v, err := s.get(key)
	if err != nil {
		return Section{}, err
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return Section{}, s.Errorf(key, "want a dict, got %s", value.Brief(v))
	}
	return Section{s.config, value.Join(s.path, key), d}, nil
}

// Sections returns the dicts of the list or tuple at key, such as the steps of a
// pipeline. It is an error if the key is missing or an element is not a dict.
func (s Section) Sections(key string) ([]Section, error) {
	v, err := s.get(key)
	if err != nil {
		return nil, err
	}
	items, ok := value.Items(v)
	if !ok {
		return nil, s.Errorf(key, "want a list of dicts, got %s", value.Brief(v))
	}
	out := make([]Section, len(items))
	for i, item := range items {
		at := value.Join(key, i)
		s.mark(value.Join(s.path, at), false)
		d, ok := item.(*value.Dict)
		if !ok {
			return nil, s.Errorf(at, "want a dict, got %s", value.Brief(item))
		}
		out[i] = Section{s.config, value.Join(s.path, at), d}
	}
	return out, nil
}

// get returns the value of a required key.
func (s Section) get(key string) (value.Value, error) {
	s.mark(value.Join(s.path, key), false)
	v, ok := s.dict.Get(key)
	if !ok {
		return nil, s.Errorf(key, "missing (there is %s)", keyList(s.dict))
	}
	return v, nil
}

// Errorf returns an error that names the file, the override that set the value (if
// one did) and the dotted path of key: config "a.py" with override model.arch=3:
// model.arch: want ... If key is "", the path is that of the section.
func (s Section) Errorf(key, format string, args ...any) error {
	return &sectionError{s.place(key), fmt.Errorf(format, args...)}
}

func (s Section) place(key string) string {
	path := s.path
	if key != "" {
		path = value.Join(s.path, key)
	}
	source := `config ""` // for the zero section
	if c := s.config; c != nil && c.bare {
		source = c.path
	} else if c != nil {
		source = fmt.Sprintf("config %q", c.path)
		if override := c.overrideOf(path); override != "" {
			source += " with override " + override
		}
	}
	if path == "" {
		return source
	}
	return source + ": " + path
}

// overrideOf returns the override that set the value at path, or "".
func (c *Config) overrideOf(path string) string {
	for _, o := range c.overrides {
		if path == o.path || strings.HasPrefix(path, o.path+".") {
			return o.text
		}
	}
	return ""
}

// A sectionError is an error that starts with its file and path.
type sectionError struct {
	place string
	err   error
}

func (e *sectionError) Error() string { return e.place + ": " + e.err.Error() }
func (e *sectionError) Unwrap() error { return e.err }

// keyList lists the keys of d for an error message.
func keyList(d *value.Dict) string {
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
