package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"repvgg/internal/config/value"
)

// parseYAML reads a YAML config. Tuples are written as mmcv dumps them, with
// the tag !!python/tuple; yes, no, on and off are booleans as in YAML 1.1.
func parseYAML(name, text string, size *value.Sizer) (doc document, err error) {
	defer func() { // the library reports some malformed texts by a panic
		if p := recover(); p != nil {
			err = &placeError{name, fmt.Errorf("parsing YAML: %v", p)}
		}
	}()
	doc = document{dict: new(value.Dict), places: make(map[string]string)}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var root yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		return doc, nil
	case err != nil:
		return doc, &placeError{name, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return doc, &placeError{name, errors.New("holds more than one YAML document")}
	}
	y := yamlReader{name, size}
	v, err := y.value(root.Content[0])
	if err != nil {
		return doc, err
	}
	switch v := v.(type) {
	case nil:
		return doc, nil
	case *value.Dict:
		doc.dict = v
	default:
		return doc, &placeError{name, fmt.Errorf("want a mapping of settings, got %s", value.Brief(v))}
	}
	for i := 0; i+1 < len(root.Content[0].Content); i += 2 {
		key := root.Content[0].Content[i]
		doc.places[key.Value] = y.place(key)
	}
	return doc, nil
}

type yamlReader struct {
	name string
	size *value.Sizer
}

func (y *yamlReader) place(n *yaml.Node) string {
	return fmt.Sprintf("%s:%d:%d", y.name, n.Line, n.Column)
}

func (y *yamlReader) errorf(n *yaml.Node, format string, args ...any) error {
	return &placeError{y.place(n), fmt.Errorf(format, args...)}
}

func (y *yamlReader) value(n *yaml.Node) (value.Value, error) {
	if err := y.size.Enter(); err != nil {
		return nil, y.errorf(n, "%w", err)
	}
	defer y.size.Leave()
	switch n.Kind {
	case yaml.AliasNode:
		return y.value(n.Alias)
	case yaml.SequenceNode:
		items := make([]value.Value, len(n.Content))
		for i, c := range n.Content {
			item, err := y.value(c)
			if err != nil {
				return nil, err
			}
			items[i] = item
		}
		switch tag := n.ShortTag(); tag {
		case "!!seq":
			return value.List(items), nil
		case "!!python/tuple":
			return value.Tuple(items), nil
		default:
			return nil, y.errorf(n, "tag %s is not supported: use plain values, or !!python/tuple", tag)
		}
	case yaml.MappingNode:
		if tag := n.ShortTag(); tag != "!!map" {
			return nil, y.errorf(n, "tag %s is not supported: use plain values, or !!python/tuple", tag)
		}
		return y.mapping(n)
	case yaml.ScalarNode:
		return y.scalar(n)
	}
	return nil, y.errorf(n, "unknown YAML construct")
}

func (y *yamlReader) mapping(n *yaml.Node) (*value.Dict, error) {
	out := new(value.Dict)
	merged := new(value.Dict)
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode := n.Content[i]
		v, err := y.value(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		if keyNode.ShortTag() == "!!merge" {
			if err := mergeYAML(merged, v); err != nil {
				return nil, y.errorf(keyNode, "%w", err)
			}
			continue
		}
		key, err := y.value(keyNode)
		if err != nil {
			return nil, err
		}
		if _, ok := value.Key(key); !ok {
			return nil, y.errorf(keyNode, "a %s cannot be a key of a config: use a string or an int", value.TypeName(key))
		}
		if _, ok := out.Get(key); ok {
			return nil, y.errorf(keyNode, "duplicate key %s", value.Brief(key))
		}
		out.Set(key, v)
	}
	for key, v := range merged.All() {
		if _, ok := out.Get(key); !ok {
			out.Set(key, v)
		}
	}
	return out, nil
}

// mergeYAML adds the mappings that a "<<" key refers to. Among equal keys, the
// first one wins.
func mergeYAML(into *value.Dict, v value.Value) error {
	sources, ok := v.(value.List)
	if !ok {
		sources = value.List{v}
	}
	for _, source := range sources {
		d, ok := source.(*value.Dict)
		if !ok {
			return fmt.Errorf("<< wants a mapping or a list of mappings, got %s", value.Brief(source))
		}
		for key, v := range d.All() {
			if _, ok := into.Get(key); !ok {
				into.Set(key, v)
			}
		}
	}
	return nil
}

func (y *yamlReader) scalar(n *yaml.Node) (value.Value, error) {
	if n.Style == 0 && n.Tag == "!!str" {
		switch strings.ToLower(n.Value) {
		case "yes", "on":
			return true, nil
		case "no", "off":
			return false, nil
		}
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		var v bool
		err := n.Decode(&v)
		return v, y.wrap(n, err)
	case "!!int":
		var v int64
		if err := n.Decode(&v); err != nil {
			return nil, y.errorf(n, "integer %s does not fit 64 bits", n.Value)
		}
		return v, nil
	case "!!float":
		if pythonInt.MatchString(n.Value) {
			return nil, y.errorf(n, "integer %s does not fit 64 bits", n.Value)
		}
		var v float64
		err := n.Decode(&v)
		return v, y.wrap(n, err)
	case "!!str", "!!timestamp":
		return n.Value, y.wrap(n, y.size.Text(n.Value))
	default:
		return nil, y.errorf(n, "tag %s is not supported: use plain values, or !!python/tuple", tag)
	}
}

func (y *yamlReader) wrap(n *yaml.Node, err error) error {
	if err == nil {
		return nil
	}
	return y.errorf(n, "%w", err)
}

// parseJSON reads a JSON config, keeping the order of keys.
func parseJSON(name, text string, size *value.Sizer) (document, error) {
	j := jsonReader{name: name, text: text, size: size, outer: size.Depth(), decoder: json.NewDecoder(strings.NewReader(text))}
	// Checked as a whole first: only here do syntax errors tell their offset.
	var syntaxErr *json.SyntaxError
	if err := json.Unmarshal([]byte(text), new(json.RawMessage)); errors.As(err, &syntaxErr) {
		return document{}, &placeError{j.place(syntaxErr.Offset), err}
	} else if err != nil {
		return document{}, &placeError{name, err}
	}
	j.decoder.UseNumber()
	doc := document{places: make(map[string]string)}
	line, counted := 1, 0
	j.topKey = func(key string) {
		offset := int(j.decoder.InputOffset())
		line += strings.Count(text[counted:offset], "\n")
		counted = offset
		doc.places[key] = fmt.Sprintf("%s:%d", name, line)
	}
	v, err := j.value()
	if err != nil {
		return document{}, &placeError{j.place(j.decoder.InputOffset()), err}
	}
	dict, ok := v.(*value.Dict)
	if !ok {
		return document{}, &placeError{name, fmt.Errorf("want an object of settings, got %s", value.Brief(v))}
	}
	doc.dict = dict
	return doc, nil
}

type jsonReader struct {
	name, text string
	decoder    *json.Decoder
	size       *value.Sizer
	outer      int // the depth that the file is read at
	topKey     func(key string)
}

// place returns the line and column of the last character before offset.
func (j *jsonReader) place(offset int64) string {
	before := j.text[:min(int(offset), len(j.text))]
	line := strings.Count(before, "\n") + 1
	col := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("%s:%d:%d", j.name, line, max(col, 1))
}

func (j *jsonReader) value() (value.Value, error) {
	if err := j.size.Enter(); err != nil {
		return nil, err
	}
	defer j.size.Leave()
	token, err := j.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return j.object()
		}
		return j.array()
	case json.Number:
		return jsonNumber(t.String())
	}
	if s, ok := token.(string); ok {
		err = j.size.Text(s)
	}
	return token, err // nil, bool or string
}

func (j *jsonReader) array() (value.Value, error) {
	items := value.List{}
	for j.decoder.More() {
		item, err := j.value()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := j.decoder.Token()
	return items, err
}

func (j *jsonReader) object() (value.Value, error) {
	out := new(value.Dict)
	for j.decoder.More() {
		token, err := j.decoder.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("want a string as key, got %v", token)
		}
		if _, ok := out.Get(key); ok {
			return nil, fmt.Errorf("duplicate key %.80q", key)
		}
		if err := j.size.Text(key); err != nil {
			return nil, err
		}
		if j.size.Depth() == j.outer+1 {
			j.topKey(key)
		}
		v, err := j.value()
		if err != nil {
			return nil, err
		}
		out.Set(key, v)
	}
	_, err := j.decoder.Token()
	return out, err
}

// jsonNumber parses a number. As in Python, it is an int if it has no point and no
// exponent.
func jsonNumber(s string) (value.Value, error) {
	if strings.ContainsAny(s, ".eE") {
		return parseFloat(s), nil
	}
	return parseScalar(s)
}
