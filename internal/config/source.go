package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"repvgg/configs"
	"repvgg/internal/config/starlark"
	"repvgg/internal/config/value"
	"repvgg/internal/infile"
)

// The bounds of a file, and of its text with the templates filled in. The largest
// config of the zoo has some kilobytes.
const (
	maxFileBytes     = 1 << 20
	maxExpandedBytes = 2 << 20
)

// A source is a config file, on disk or embedded.
type source struct {
	path     string // for display
	embedded bool
}

// absolute returns the slash-separated path that identifies the file.
func (s source) absolute() string {
	if s.embedded {
		return "embedded:" + s.path
	}
	abs, err := filepath.Abs(s.path)
	if err != nil {
		abs = s.path
	}
	return filepath.ToSlash(abs)
}

// base returns the file for a name in the _base_ of s. It is a file on disk or,
// unlike in mmcv, an embedded one if there is no such file.
func (s source) base(name string) source {
	if s.embedded {
		return source{path.Join(path.Dir(s.path), name), true}
	}
	file := expandHome(name)
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(s.path), file)
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if embedded, ok := findEmbedded(name); ok {
			return embedded
		}
	}
	return source{path: filepath.Clean(file)}
}

func (s source) open() (io.ReadCloser, error) {
	if !s.embedded {
		return infile.Open(context.Background(), s.path) // it is small
	}
	return configs.FS.Open(strings.TrimPrefix(s.path, embeddedRoot+"/"))
}

// read returns the text of the file, without a byte order mark.
func (s source) read() (string, error) {
	file, err := s.open()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return "", fmt.Errorf("file %q does not exist", s.path)
	}
	if wrong, ok := errors.AsType[*fs.PathError](err); ok {
		err = wrong.Err // which need not name the file again
	}
	if err != nil {
		return "", fmt.Errorf("reading %q: %w", s.path, err)
	}
	defer file.Close()
	if !slices.Contains([]string{".py", ".yml", ".yaml", ".json"}, path.Ext(filepath.ToSlash(s.path))) {
		return "", fmt.Errorf("reading %q: only py/yml/yaml/json type are supported now", s.path)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return "", fmt.Errorf("reading %q: %w", s.path, err)
	}
	if len(data) > maxFileBytes {
		return "", fmt.Errorf("reading %q: larger than %d bytes: not a config", s.path, maxFileBytes)
	}
	return strings.TrimPrefix(string(data), "\ufeff"), nil
}

// A document is the content of one file, before its bases are merged in.
type document struct {
	dict *value.Dict
	// places maps each top-level key to the place where it is set ("a.py:3:1").
	places map[string]string
}

// A placeError is an error with its place in a file.
type placeError struct {
	place string // "a.py:3:12"
	err   error
}

func (e *placeError) Error() string { return e.place + ": " + e.err.Error() }
func (e *placeError) Unwrap() error { return e.err }

// parse reads the text of a file as its suffix says, and counts its values.
func parse(src source, text string, size *value.Sizer) (document, error) {
	text, err := expandTemplates(text, strings.TrimPrefix(src.absolute(), "embedded:"))
	if err != nil {
		return document{}, &placeError{src.path, err}
	}
	switch path.Ext(filepath.ToSlash(src.path)) {
	case ".py":
		return parsePython(src.path, text, size)
	case ".yml", ".yaml":
		return parseYAML(src.path, text, size)
	}
	return parseJSON(src.path, text, size)
}

// parsePython evaluates a .py config.
func parsePython(name, text string, size *value.Sizer) (document, error) {
	file, err := starlark.Eval(name, text, size)
	if err != nil {
		if at, ok := errors.AsType[*starlark.Error](err); ok {
			err = &placeError{at.Place, at.Err}
		}
		return document{}, err
	}
	return document{file.Values, file.Places}, nil
}

// expandHome replaces a leading ~ with the home folder.
func expandHome(name string) string {
	if name != "~" && !strings.HasPrefix(name, "~/") {
		return name
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return name
	}
	return filepath.Join(home, name[1:])
}
