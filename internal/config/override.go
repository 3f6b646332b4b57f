package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"repvgg/internal/config/value"
)

// An override is one KEY=VALUE item that changes a config.
type override struct {
	text string // as given: "data.test.pipeline.1.size=(224,-1)"
	path string // "data.test.pipeline.1.size"
}

// parseOverride splits an item at its first "=" and parses the value.
func parseOverride(item string) (parts []string, v value.Value, err error) {
	name, text, ok := strings.Cut(item, "=")
	if !ok {
		return nil, nil, errors.New(`missing "=": write it as key=value`)
	}
	name = strings.TrimSpace(name)
	if name == "" {
		return nil, nil, errors.New(`missing key before "=": write it as key=value`)
	}
	parts = strings.Split(name, ".")
	if len(parts) > value.MaxDepth {
		return nil, nil, value.ErrTooDeep
	}
	for i, part := range parts {
		if part == "" {
			return nil, nil, fmt.Errorf("empty name in key %q: write it as a.b.c=value", name)
		}
		if n, ok := parseIndex(part); ok && n < 1<<31-1 {
			parts[i] = strconv.Itoa(n)
		}
	}
	v, err = parseLiteral(text)
	return parts, v, err
}

// applyOverrides merges all items into c at once, as mmcv's merge_from_dict does. A
// later item overrides an earlier one with the same key.
func (c *Config) applyOverrides(items []string) error {
	options := new(value.Dict)
	for _, item := range items {
		parts, v, err := parseOverride(item)
		if err != nil {
			return fmt.Errorf("parsing override %q: %w", item, err)
		}
		if err := setPath(options, parts, v); err != nil {
			return fmt.Errorf("parsing override %q: %w", item, err)
		}
		c.overrides = append(c.overrides, override{text: item, path: strings.Join(parts, ".")})
	}
	if _, err := checkReserved(options); err != nil {
		return fmt.Errorf("applying overrides to config %q: %w", c.path, err)
	}
	if err := (merger{listKeys: true}).dict(options, c.root, ""); err != nil {
		return fmt.Errorf("applying overrides to config %q: %w", c.path, err)
	}
	return nil
}

// Options parses items in the grammar of overrides that are not for a config.
// Errors start with place.
func Options(place string, items []string) (Section, error) {
	c := &Config{path: place, bare: true, root: new(value.Dict), reads: make(map[string]bool)}
	if err := c.applyOverrides(items); err != nil {
		return Section{}, err
	}
	return c.Root(), nil
}

// setPath sets a value in nested dicts, and makes those that are missing.
func setPath(d *value.Dict, parts []string, v value.Value) error {
	for i, part := range parts[:len(parts)-1] {
		next, ok := d.Get(part)
		if !ok {
			next = new(value.Dict)
			d.Set(part, next)
		}
		child, ok := next.(*value.Dict)
		if !ok {
			return fmt.Errorf("another override sets %s to %s, which has no keys",
				strings.Join(parts[:i+1], "."), value.Brief(next))
		}
		d = child
	}
	last := parts[len(parts)-1]
	if old, ok := d.Get(last); ok {
		if _, ok := old.(*value.Dict); ok {
			return fmt.Errorf("another override sets a key below %s", strings.Join(parts, "."))
		}
	}
	d.Set(last, v)
	return nil
}

// parseLiteral parses the value of an override in the grammar of mmcv's DictAction.
// (a,b) is a tuple; [a,b] and a bare a,b are lists. A scalar is the first of these
// that fits: int, float, true or false in any case, None, string. Quotes around an
// element are dropped. Unlike in mmcv, spaces are dropped only around separators.
func parseLiteral(text string) (value.Value, error) {
	if err := checkBrackets(text); err != nil {
		return nil, err
	}
	return parseElement(text, 0)
}

func parseElement(text string, depth int) (value.Value, error) {
	if depth > value.MaxDepth {
		return nil, value.ErrTooDeep
	}
	s := unquote(text)
	if n := len(s); n > 0 && closing(s) == n-1 {
		items, err := parseItems(s[1:n-1], depth+1)
		if err != nil {
			return nil, err
		}
		if s[0] == '(' {
			return value.Tuple(items), nil
		}
		return value.List(items), nil
	}
	if nextComma(s) < len(s) {
		items, err := parseItems(s, depth+1)
		if err != nil {
			return nil, err
		}
		return value.List(items), nil
	}
	return parseScalar(s)
}

// parseItems parses elements separated by commas. A trailing comma is allowed.
func parseItems(s string, depth int) ([]value.Value, error) {
	items := []value.Value{}
	s = strings.TrimSpace(s)
	for s != "" {
		end := nextComma(s)
		item, err := parseElement(s[:end], depth)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		s = strings.TrimSpace(s[min(end+1, len(s)):])
	}
	return items, nil
}

// unquote drops spaces, and then quotes of either kind, from both ends. The quotes
// need not be balanced, as in mmcv.
func unquote(s string) string {
	return strings.TrimSpace(strings.Trim(strings.TrimSpace(s), `'"`))
}

// nextComma returns the index of the first comma outside brackets, or len(s).
func nextComma(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

// closing returns the index of the bracket that closes the first character of s, or
// -1.
func closing(s string) int {
	if s[0] != '(' && s[0] != '[' {
		return -1
	}
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// checkBrackets returns an error if the brackets are not balanced. A plain string,
// such as a path with a single bracket and no comma, need not be balanced.
func checkBrackets(text string) error {
	s := unquote(text)
	if s == "" || !strings.Contains(s, ",") && !strings.ContainsRune("([", rune(s[0])) &&
		!strings.ContainsRune(")]", rune(s[len(s)-1])) {
		return nil
	}
	var open []byte
	for i := range len(s) {
		switch c := s[i]; c {
		case '(', '[':
			open = append(open, c)
		case ')', ']':
			want := byte('(')
			if c == ']' {
				want = '['
			}
			if len(open) == 0 || open[len(open)-1] != want {
				return fmt.Errorf("imbalanced brackets exist in %q", s)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("imbalanced brackets exist in %q", s)
	}
	return nil
}

var (
	pythonInt   = regexp.MustCompile(`^[+-]?[0-9]+(_[0-9]+)*$`)
	pythonFloat = regexp.MustCompile(`(?i)^[+-]?(([0-9]+(_[0-9]+)*\.?([0-9]+(_[0-9]+)*)?|\.[0-9]+(_[0-9]+)*)(e[+-]?[0-9]+(_[0-9]+)*)?|inf|infinity|nan)$`)
)

func parseScalar(s string) (value.Value, error) {
	switch {
	case pythonInt.MatchString(s):
		n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("integer %s is out of range: it does not fit 64 bits", s)
		}
		return n, nil
	case pythonFloat.MatchString(s):
		return parseFloat(s), nil
	case strings.EqualFold(s, "true"):
		return true, nil
	case strings.EqualFold(s, "false"):
		return false, nil
	case s == "None":
		return nil, nil
	}
	return s, nil
}

// parseFloat parses what pythonFloat matches. Too large a value becomes infinite,
// as in Python.
func parseFloat(s string) float64 {
	s = strings.ReplaceAll(s, "_", "")
	if strings.HasSuffix(strings.ToLower(s), "nan") {
		return math.NaN() // ParseFloat refuses a sign before nan
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}
