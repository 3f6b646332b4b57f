package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/config/value"
)

// Bounds on a config and its bases.
const (
	maxIncludes = 16  // files in a chain of _base_
	maxFiles    = 100 // files in all
)

// A Config is a configuration with its bases and overrides merged in. It is not
// safe for concurrent use, because reading a section records what was read.
type Config struct {
	path string
	// files are those on the disk that were read: path and its bases.
	files []string
	// bare says that path is no file's, but what errors begin with; see Options.
	bare      bool
	root      *value.Dict
	warnings  []string
	overrides []override
	// reads has the dotted paths that were read. The value is true if everything below
	// the path was read too.
	reads map[string]bool
}

// Load reads a config and merges the overrides ("data.samples_per_gpu=32") into it.
// It looks for name in this order: the path of a file; the file name of an embedded
// config, with or without its folder
// ("repvgg/deploy/repvgg-A0_deploy_4xb64-coslr-120e_in1k.py"); the short name of an
// embedded config ("repvgg-A0", "repvgg-A0_deploy").
func Load(name string, overrides []string) (*Config, error) {
	src, err := find(name)
	if err != nil {
		return nil, fmt.Errorf("loading config %q: %w", name, err)
	}
	l := loader{}
	root, err := l.load(src)
	if err != nil {
		return nil, fmt.Errorf("loading config %q: %w", name, err)
	}
	if err := stripDelete(root, ""); err != nil {
		return nil, fmt.Errorf("loading config %q: %w", name, err)
	}
	c := &Config{path: src.path, files: l.paths, root: root, warnings: l.warnings, reads: make(map[string]bool)}
	if err := c.applyOverrides(overrides); err != nil {
		return nil, err
	}
	if v, ok := root.Get(importsKey); ok && v != nil {
		c.warnings = append(c.warnings, fmt.Sprintf("config %q: custom_imports=%s has no effect: Python modules are not imported",
			c.path, value.Brief(v)))
	}
	return c, nil
}

// Path returns the path of the config file. For an embedded config it is
// "configs/repvgg/...".
func (c *Config) Path() string { return c.path }

// Files are the paths of the files on the disk that were read: the config itself and
// those that it is based on. Embedded ones are not among them.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// Warnings returns what the user should know of the config, a line each: that
// it is deprecated, or asks for something that has no effect here.
func (c *Config) Warnings() []string { return slices.Clone(c.warnings) }

// A loader reads a config and all its bases.
type loader struct {
	chain    []source // the files being read, the first one first
	files    int
	paths    []string // of those on the disk
	size     value.Sizer
	warnings []string
}

// load reads src and its bases. Its errors name the place in the file and, for a
// base, the files that include it. An error without a place is about opening src.
func (l *loader) load(src source) (*value.Dict, error) {
	l.chain = append(l.chain, src)
	defer func() { l.chain = l.chain[:len(l.chain)-1] }()
	l.files++
	if !src.embedded {
		l.paths = append(l.paths, src.path)
	}
	text, err := src.read()
	if err != nil {
		return nil, err
	}
	doc, err := parse(src, text, &l.size)
	if err != nil {
		return nil, l.located(err)
	}
	if err := l.checkKeys(src, doc); err != nil {
		return nil, err
	}
	bases, err := baseNames(doc)
	if err != nil {
		return nil, l.located(err)
	}
	merged, err := l.loadBases(src, doc, bases)
	if err != nil {
		return nil, err
	}
	return l.merge(src, doc, merged)
}

// located adds to an error the chain of files that includes the current one. An
// error from a base already has it.
func (l *loader) located(err error) error {
	if len(l.chain) < 2 {
		return err
	}
	var b strings.Builder
	for i := len(l.chain) - 2; i >= 0; i-- {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString("included from " + l.chain[i].path)
	}
	return fmt.Errorf("%w (%s)", err, b.String())
}

// reservedKeys are attributes of mmcv's Config object.
var reservedKeys = []string{"filename", "text", "pretty_text"}

// checkReserved returns the first reserved key of d and an error, if there is one.
func checkReserved(d *value.Dict) (string, error) {
	for _, key := range reservedKeys {
		if _, ok := d.Get(key); ok {
			return key, fmt.Errorf("%s is reserved for config file: choose another name", key)
		}
	}
	return "", nil
}

// checkKeys handles the keys with a special meaning.
func (l *loader) checkKeys(src source, doc document) error {
	if key, err := checkReserved(doc.dict); err != nil {
		return l.located(&placeError{doc.place(key, src), err})
	}
	v, ok := doc.dict.Remove(deprecationKey)
	if !ok {
		return nil
	}
	msg := fmt.Sprintf("config %q is deprecated", src.path)
	if d, ok := v.(*value.Dict); ok {
		if use, ok := d.Get("expected"); ok {
			msg += fmt.Sprintf(": use %s instead", plain(use))
		}
		if ref, ok := d.Get("reference"); ok {
			msg += fmt.Sprintf(" (more at %s)", plain(ref))
		}
	}
	l.warnings = append(l.warnings, msg)
	return nil
}

// plain is a value in a message, a string without quotes.
func plain(v value.Value) string { return strings.Trim(value.Brief(v), "'") }

func (d document) place(key string, src source) string {
	if place, ok := d.places[key]; ok {
		return place
	}
	return src.path
}

// baseNames removes _base_, a string or a list of strings, from the document and
// returns it.
func baseNames(doc document) ([]string, error) {
	v, ok := doc.dict.Remove(baseKey)
	if !ok {
		return nil, nil
	}
	place := doc.places[baseKey]
	var items []value.Value
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case value.List:
		items = v
	case value.Tuple:
		items = v
	default:
		return nil, &placeError{place, fmt.Errorf("_base_: want a file name or a list of file names, got %s", value.Brief(v))}
	}
	names := make([]string, len(items))
	for i, item := range items {
		name, ok := item.(string)
		if !ok {
			return nil, &placeError{place, fmt.Errorf("_base_: want a file name, got %s", value.Brief(item))}
		}
		names[i] = name
	}
	return names, nil
}

// loadBases loads the bases of src into one dict, or returns nil if there are none.
// It is an error if two bases set the same top-level key.
func (l *loader) loadBases(src source, doc document, names []string) (*value.Dict, error) {
	if names == nil {
		return nil, nil
	}
	place := doc.place(baseKey, src)
	merged := new(value.Dict)
	owner := make(map[value.Value]source)
	for _, name := range names {
		base := src.base(name)
		if err := l.checkInclude(base); err != nil {
			return nil, l.located(&placeError{place, err})
		}
		dict, err := l.load(base)
		if err != nil {
			if _, ok := errors.AsType[*placeError](err); !ok { // the file could not be read
				err = l.located(&placeError{place, fmt.Errorf("_base_: %w", err)})
			}
			return nil, err
		}
		var twice []string
		var other source
		for key, v := range dict.All() {
			if first, ok := owner[key]; ok {
				twice, other = append(twice, fmt.Sprint(key)), first
				continue
			}
			owner[key] = base
			merged.Set(key, v)
		}
		if len(twice) > 0 {
			return nil, l.located(&placeError{place, fmt.Errorf("_base_: duplicate key is not allowed among bases: both %q and %q set %s",
				other.path, base.path, strings.Join(twice, ", "))})
		}
	}
	return merged, nil
}

// checkInclude refuses a base that makes a cycle, or exceeds the bounds.
func (l *loader) checkInclude(base source) error {
	id := base.absolute()
	for i, s := range l.chain {
		if s.absolute() != id {
			continue
		}
		var names []string
		for _, s := range l.chain[i:] {
			names = append(names, s.path)
		}
		return fmt.Errorf("_base_: include cycle: %s", strings.Join(append(names, base.path), " -> "))
	}
	if len(l.chain) >= maxIncludes {
		return fmt.Errorf("_base_: more than %d files include one another", maxIncludes)
	}
	if l.files >= maxFiles {
		return fmt.Errorf("_base_: more than %d files are included", maxFiles)
	}
	return nil
}

// merge resolves the document's references to its base, and merges the document
// into the base.
func (l *loader) merge(src source, doc document, base *value.Dict) (*value.Dict, error) {
	for key, v := range doc.dict.All() {
		v, err := l.resolvePlaceholders(v, base)
		if err != nil {
			return nil, l.located(&placeError{doc.place(fmt.Sprint(key), src), err})
		}
		doc.dict.Set(key, v)
	}
	if base == nil {
		return doc.dict, nil
	}
	for key, v := range doc.dict.All() {
		one := new(value.Dict) // key by key, so that an error names the place of the key
		one.Set(key, v)
		if err := (merger{}).dict(one, base, ""); err != nil {
			return nil, l.located(&placeError{doc.place(fmt.Sprint(key), src), err})
		}
	}
	return base, nil
}
