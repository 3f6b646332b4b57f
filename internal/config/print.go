package config

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"repvgg/internal/config/value"
)

// Text is the config, with its bases and overrides merged in, as a .py file that
// gives the same values. It is an error if a key can't be one of such a file's, or
// the text is larger than any config's.
func (c *Config) Text() (string, error) {
	var p printer
	for key, v := range c.root.All() {
		name, ok := key.(string)
		// The evaluation of a .py file drops names that start with two underscores. dict
		// and float are functions that the text calls.
		if !ok || !isKeyword(name) || strings.HasPrefix(name, "__") || name == "dict" || name == "float" {
			return "", fmt.Errorf("config %q: the key %s can't be a variable of a .py config", c.path, value.Brief(key))
		}
		p.put(name + " = ")
		p.multiLine(v, 0, len(name)+len(" = "))
		p.put("\n")
		if p.full() {
			return "", fmt.Errorf("config %q: its values are too large to print: they take more than %d bytes", c.path, maxPrinted)
		}
	}
	return string(p.text), nil
}

// maxPrinted bounds the text of a config. That of the largest of the zoo has some
// kilobytes.
const maxPrinted = 64 << 20

// maxLine is how long a line may get before it is broken.
const maxLine = 79

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*$`)

var reserved = regexp.MustCompile(`^(False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|` +
	`for|from|global|if|import|in|is|lambda|load|nonlocal|not|or|pass|raise|return|try|while|with|yield)$`)

// isKeyword reports whether name can be a keyword argument, as in dict(name=...).
func isKeyword(name string) bool { return identifier.MatchString(name) && !reserved.MatchString(name) }

// printer writes values as Python code. When it is full it writes no more of them.
type printer struct{ text []byte }

func (p *printer) put(s string) { p.text = append(p.text, s...) }
func (p *printer) full() bool   { return len(p.text) > maxPrinted }

// multiLine writes a value, an item a line where it does not fit behind column.
func (p *printer) multiLine(v value.Value, indent, column int) {
	if p.full() {
		return
	}
	if size(v) <= 0 {
		p.oneLine(v, math.MaxInt)
		return
	}
	start := len(p.text)
	if p.oneLine(v, start+maxLine-column) {
		return
	}
	p.text = p.text[:start]
	c := takeApart(v)
	p.put(c.open + "\n")
	indent += 4
	for i, item := range c.values {
		p.put(strings.Repeat(" ", indent) + c.labels[i])
		p.multiLine(item, indent, indent+len(c.labels[i])+1)
		p.put(",\n")
	}
	p.put(strings.Repeat(" ", indent-4) + c.close)
}

// oneLine writes a value without line breaks. It gives up, and reports false, where
// more than most bytes would be written in all: so the work for values that are
// broken into lines does not grow with what is in them.
func (p *printer) oneLine(v value.Value, most int) bool {
	switch v := v.(type) {
	case string:
		if len(v) > most-len(p.text) {
			return false
		}
		p.put(strings.ReplaceAll(value.Format(v), "{{", `{\x7b`)) // which would be a template
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			p.put("float('" + value.Format(v) + "')")
		} else {
			p.put(value.Format(v))
		}
	case value.List, value.Tuple, *value.Dict:
		return p.container(v, most)
	default:
		p.put(value.Format(v))
	}
	return len(p.text) <= most
}

func (p *printer) container(v value.Value, most int) bool {
	if size(v) > most-len(p.text) {
		return false
	}
	c := takeApart(v)
	p.put(c.open)
	for i, item := range c.values {
		if i > 0 {
			p.put(", ")
		}
		p.put(c.labels[i])
		if !p.oneLine(item, most) {
			return false
		}
	}
	if _, isTuple := v.(value.Tuple); isTuple && len(c.values) == 1 {
		p.put(",")
	}
	p.put(c.close)
	return len(p.text) <= most
}

// size is how many values a container holds, -1 for what is none.
func size(v value.Value) int {
	if d, ok := v.(*value.Dict); ok {
		return d.Len()
	}
	if items, ok := value.Items(v); ok {
		return len(items)
	}
	return -1
}

// container is a list, tuple or dict taken apart: what stands before each value.
type container struct {
	open, close string
	labels      []string
	values      []value.Value
}

// takeApart gives the container that v is.
func takeApart(v value.Value) container {
	switch v := v.(type) {
	case value.List:
		return container{open: "[", close: "]", labels: make([]string, len(v)), values: v}
	case value.Tuple:
		return container{open: "(", close: ")", labels: make([]string, len(v)), values: v}
	}
	d, _ := v.(*value.Dict)
	c := container{open: "dict(", close: ")"}
	for _, key := range d.Keys() {
		if name, ok := key.(string); !ok || !isKeyword(name) {
			c.open, c.close = "{", "}"
		}
	}
	for key, item := range d.All() {
		label := value.Format(key) + ": "
		if name, ok := key.(string); ok && c.close == ")" {
			label = name + "="
		}
		c.labels = append(c.labels, label)
		c.values = append(c.values, item)
	}
	return c
}
