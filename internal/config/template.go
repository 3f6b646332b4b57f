package config

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"repvgg/internal/config/value"
)

// mmcv's templates: parts of the file's name, which are inserted as text, and
// values of the bases. There is no template for environment variables.
var (
	fileTemplate = regexp.MustCompile(`\{\{\s*(fileDirname|fileBasenameNoExtension|fileBasename|fileExtname)\s*\}\}`)
	baseTemplate = regexp.MustCompile(`(["']?)\{\{\s*_base_\.([\w.]+)\s*\}\}(["']?)`)
	// A placeholder is the string that replaces a baseTemplate in the text until the
	// bases are known.
	placeholder     = regexp.MustCompile(`^\{\{_base_\.([\w.]+)\}\}$`)
	anyPlaceholder  = regexp.MustCompile(`\{\{_base_\.[\w.]+\}\}`)
	placeholderText = `"{{_base_.%s}}"`
)

// expandTemplates replaces the templates in the text of a config. file is the
// absolute, slash-separated path of the file.
func expandTemplates(text, file string) (string, error) {
	base := path.Base(file)
	ext := path.Ext(base)
	parts := map[string]string{
		"fileDirname":             path.Dir(file),
		"fileBasename":            base,
		"fileBasenameNoExtension": strings.TrimSuffix(base, ext),
		"fileExtname":             ext,
	}
	size := len(text)
	text = fileTemplate.ReplaceAllStringFunc(text, func(m string) string {
		part := parts[fileTemplate.FindStringSubmatch(m)[1]]
		if size += len(part); size > maxExpandedBytes {
			return ""
		}
		return part
	})
	if size > maxExpandedBytes {
		return "", fmt.Errorf("its templates make it larger than %d bytes: not a config", maxExpandedBytes)
	}
	return baseTemplate.ReplaceAllStringFunc(text, func(m string) string {
		sub := baseTemplate.FindStringSubmatch(m)
		open, name, end := sub[1], sub[2], sub[3]
		text := fmt.Sprintf(placeholderText, name)
		if open == end { // quoted or bare: both mean the value
			return text
		}
		return open + text + end
	}), nil
}

// resolvePlaceholders puts the bases' values where v refers to them. base is
// nil when the file has no _base_.
func (l *loader) resolvePlaceholders(v value.Value, base *value.Dict) (value.Value, error) {
	switch v := v.(type) {
	case string:
		if m := placeholder.FindStringSubmatch(v); m != nil {
			return l.lookupBase(m[1], base)
		}
		if m := anyPlaceholder.FindString(v); m != "" {
			return nil, fmt.Errorf("%s is inside a longer string: it can only be a whole value", m)
		}
	case value.List:
		return v, l.resolveItems(v, base)
	case value.Tuple:
		return v, l.resolveItems(v, base)
	case *value.Dict:
		for key, item := range v.All() {
			if name, ok := key.(string); ok && anyPlaceholder.MatchString(name) {
				return nil, fmt.Errorf("%s is a key: it can only be a value", name)
			}
			resolved, err := l.resolvePlaceholders(item, base)
			if err != nil {
				return nil, err
			}
			v.Set(key, resolved)
		}
	}
	return v, nil
}

func (l *loader) resolveItems(items []value.Value, base *value.Dict) error {
	for i, item := range items {
		resolved, err := l.resolvePlaceholders(item, base)
		if err != nil {
			return err
		}
		items[i] = resolved
	}
	return nil
}

// lookupBase returns a copy of the base's value at a dotted path, which counts
// among the config's values.
func (l *loader) lookupBase(dotted string, base *value.Dict) (value.Value, error) {
	if base == nil {
		return nil, fmt.Errorf("{{_base_.%s}}: the file has no _base_", dotted)
	}
	var v value.Value = base
	for name := range strings.SplitSeq(dotted, ".") {
		var next value.Value
		ok := false
		switch c := v.(type) {
		case *value.Dict:
			next, ok = c.Get(name)
			if !ok {
				return nil, fmt.Errorf("{{_base_.%s}}: there is no %q in the base config (it has %s)", dotted, name, keyList(c))
			}
		case value.List:
			next, ok = element(c, name)
		case value.Tuple:
			next, ok = element(c, name)
		}
		if !ok {
			return nil, fmt.Errorf("{{_base_.%s}}: there is no %q in the base config's %s", dotted, name, value.Brief(v))
		}
		v = next
	}
	if err := l.size.Add(v); err != nil {
		return nil, fmt.Errorf("{{_base_.%s}}: %w", dotted, err)
	}
	return value.Clone(v), nil
}

func element(items []value.Value, name string) (value.Value, bool) {
	i, ok := parseIndex(name)
	if !ok || i >= len(items) {
		return nil, false
	}
	return items[i], true
}
