package config

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"repvgg/internal/config/value"
)

// Text returns the config, with its bases and overrides merged in, as a .py file
// that gives the same values. It is an error if a key can't be written in a .py
// file.
func (c *Config) Text() (string, error) {
	var b strings.Builder
	for key, v := range c.root.All() {
		name, ok := key.(string)
		// The evaluation of a .py file drops names that start with two underscores. dict
		// and float are functions that the text calls.
		if !ok || !isKeyword(name) || strings.HasPrefix(name, "__") || name == "dict" || name == "float" {
			return "", fmt.Errorf("config %q: the key %s can't be a variable of a .py config", c.path, value.Format(key))
		}
		fmt.Fprintf(&b, "%s = %s\n", name, multiLine(v, 0, len(name)+len(" = ")))
	}
	return b.String(), nil
}

// maxLine is the length above which a line is broken.
const maxLine = 79

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*$`)

var reserved = regexp.MustCompile(`^(False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|` +
	`for|from|global|if|import|in|is|lambda|load|nonlocal|not|or|pass|raise|return|try|while|with|yield)$`)

// isKeyword reports whether name can be a keyword argument, as in dict(name=...).
func isKeyword(name string) bool { return identifier.MatchString(name) && !reserved.MatchString(name) }

// container is a list, tuple or dict with the text before each of its values.
type container struct {
	open, close string
	labels      []string
	values      []value.Value
}

// takeApart returns v as a container. ok is false if v is not a container.
func takeApart(v value.Value) (c container, ok bool) {
	switch v := v.(type) {
	case value.List:
		return container{open: "[", close: "]", labels: make([]string, len(v)), values: v}, true
	case value.Tuple:
		return container{open: "(", close: ")", labels: make([]string, len(v)), values: v}, true
	case *value.Dict:
		c = container{open: "dict(", close: ")"}
		for _, key := range v.Keys() {
			if name, ok := key.(string); !ok || !isKeyword(name) {
				c.open, c.close = "{", "}"
			}
		}
		for key, item := range v.All() {
			label := value.Format(key) + ": "
			if c.close == ")" {
				label = key.(string) + "="
			}
			c.labels = append(c.labels, label)
			c.values = append(c.values, item)
		}
		return c, true
	}
	return c, false
}

// oneLine formats a value without line breaks.
func oneLine(v value.Value) string {
	if f, ok := v.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		return fmt.Sprintf("float('%s')", value.Format(v))
	}
	c, ok := takeApart(v)
	if !ok {
		return strings.ReplaceAll(value.Format(v), "{{", `{\x7b`) // avoids a template
	}
	items := make([]string, len(c.values))
	for i, item := range c.values {
		items[i] = c.labels[i] + oneLine(item)
	}
	if _, isTuple := v.(value.Tuple); isTuple && len(items) == 1 {
		items[0] += ","
	}
	return c.open + strings.Join(items, ", ") + c.close
}

// multiLine formats a value that starts at column. If it does not fit on the line,
// each item gets its own line.
func multiLine(v value.Value, indent, column int) string {
	line := oneLine(v)
	c, ok := takeApart(v)
	if !ok || len(c.values) == 0 || column+len(line) <= maxLine {
		return line
	}
	var b strings.Builder
	b.WriteString(c.open + "\n")
	indent += 4
	for i, item := range c.values {
		fmt.Fprintf(&b, "%*s%s%s,\n", indent, "", c.labels[i], multiLine(item, indent, indent+len(c.labels[i])+1))
	}
	fmt.Fprintf(&b, "%*s%s", indent-4, "", c.close)
	return b.String()
}
