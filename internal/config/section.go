package config

import (
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/config/value"
)

// A Section is a dict at a dotted path of a Config. Reading it marks its keys
// as read, for Unread.
type Section struct {
	config *Config
	path   string
	dict   *value.Dict
}

// Root returns the whole config as a section; its path is "".
func (c *Config) Root() Section { return Section{c, "", c.root} }

// Unread returns the overrides, as they were given, that set something nothing
// has read: a spelling mistake, or a variable such as test_pipeline whose value
// was used before.
func (c *Config) Unread() []string {
	var unread []string
	for _, o := range c.overrides {
		if !c.wasRead(o.path) && !slices.Contains(unread, o.text) {
			unread = append(unread, o.text)
		}
	}
	return unread
}

// wasRead reports whether the value at path, something in it, or everything
// round it was read.
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

// mark notes that path was read, with everything below it if whole.
func (s Section) mark(path string, whole bool) {
	if s.config != nil {
		s.config.reads[path] = s.config.reads[path] || whole
	}
}

// Path returns the dotted path, "model.backbone"; elements of lists are counted
// from 0, "data.test.pipeline.2".
func (s Section) Path() string { return s.path }

// Has reports whether the section has key, be its value None.
func (s Section) Has(key string) bool {
	s.mark(value.Join(s.path, key), false)
	_, ok := s.dict.Get(key)
	return ok
}

// Section returns the dict at key. It is an error if there is none.
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

// Sections returns the dicts of the list or tuple at key, such as the steps of
// a pipeline. It is an error if there is none or an element is no dict.
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

// get returns the value of a key that must be there.
func (s Section) get(key string) (value.Value, error) {
	s.mark(value.Join(s.path, key), false)
	v, ok := s.dict.Get(key)
	if !ok {
		return nil, s.Errorf(key, "missing (there is %s)", keyList(s.dict))
	}
	return v, nil
}

// Errorf returns an error that names the file, the override that set the value, if
// one did, and the dotted path of key, or of the section itself when key is "":
// config "a.py" with override model.arch=3: model.arch: want ...
func (s Section) Errorf(key, format string, args ...any) error {
	return &sectionError{s.place(key), fmt.Errorf(format, args...)}
}

func (s Section) place(key string) string {
	path := s.path
	if key != "" {
		path = value.Join(s.path, key)
	}
	source := `config ""` // of the zero section
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

// overrideOf is the override that set the value at path, if one did.
func (c *Config) overrideOf(path string) string {
	for _, o := range c.overrides {
		if path == o.path || strings.HasPrefix(path, o.path+".") {
			return o.text
		}
	}
	return ""
}

// A sectionError is an error with the file and path it is about in front.
type sectionError struct {
	place string
	err   error
}

func (e *sectionError) Error() string { return e.place + ": " + e.err.Error() }
func (e *sectionError) Unwrap() error { return e.err }

// keyList writes the keys of d as an error message lists them.
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
