package pickle

import (
	"bufio"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(data string, limit int) (string, error) {
	got, err := Read(bufio.NewReader(strings.NewReader(data)), limit)
	return string(got), err
}

// opaque stands for any class; its calls give their first argument.
type opaque struct{}

func (opaque) Call(args ...any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("called with nothing")
	}
	return args[0], nil
}

func find(module, name string) (any, error) {
	if module == "os" {
		return nil, errors.New("refused " + module + "." + name)
	}
	return opaque{}, nil
}

func TestRead(t *testing.T) {
	const dict = "\x80\x02}X\x01\x00\x00\x00aK\x07s."
	got, err := read(dict+"what follows", 1<<20)
	if err != nil || got != dict {
		t.Fatalf("%q, %v", got, err)
	}
	v, err := Load([]byte(got), find, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := v.(*Dict); !ok || d.Len() != 1 || (*d)[0].Key != "a" || (*d)[0].Value != 7 {
		t.Errorf("%#v", v)
	}
	// A LONG of no bytes is zero.
	got, err = read("\x80\x02\x8a\x00.", 100)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := Load([]byte(got), find, nil); err != nil || v != 0 {
		t.Errorf("%v, %v", v, err)
	}
}

func TestReadErrors(t *testing.T) {
	for name, c := range map[string]struct {
		data  string
		limit int
		want  string
	}{
		"empty":      {"", 100, "ends inside its pickled structure"},
		"no stop":    {"\x80\x02N", 100, "ends inside its pickled structure"},
		"cut":        {"\x80\x02X\x09\x00\x00\x00abc", 100, "ends inside its pickled structure"},
		"claim":      {"\x80\x02X\xff\xff\xff\x7fabc", 100, "has an item of 2147483647 bytes"},
		"claim of 8": {"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc", 100, "has an item of 18446744073709551615 bytes"},
		"frame":      {"\x80\x04\x95\x00\x00\x00\x00\x01\x00\x00\x00.", 100, "has a frame of 4294967296 bytes"},
		"large":      {"\x80\x02" + strings.Repeat("N", 2<<20), 1 << 20, "is larger than 1 MiB"},
		"large item": {"\x80\x02" + strings.Repeat("U\xf0"+strings.Repeat("x", 240), 5000), 1 << 20, "is larger than 1 MiB"},
		"nested":     {strings.Repeat("(", maxMarks+1), 1 << 20, "nests more than 1000 deep"},
		"line":       {"c" + strings.Repeat("x", maxNumber+1), 1 << 20, "has a line that does not end"},
		"number":     {"\x80\x02\x8a\xff", 1 << 20, "ends inside its pickled structure"},
		"big number": {"\x80\x02\x8b\x01\x01\x00\x00", 1 << 20, "has an item of 257 bytes"},
		"opcode":     {"\x80\x02\xff", 100, "unknown opcode 0xff"},
	} {
		if _, err := read(c.data, c.limit); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if _, err := read("N", 10); !errors.Is(err, ErrTruncated) {
		t.Errorf("error %v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"refused":      {"cos\nsystem\n.", "refused os.system"},
		"call":         {"ca\nb\n)R.", "called with nothing"},
		"no stack":     {"0.", ""},
		"no mark":      {"t.", ""},
		"persistent":   {"NQ.", ""},
		"long message": {"B\x00\x10\x00\x00" + strings.Repeat("x", 4096) + ")R.", "its pickled structure is damaged"},
	} {
		data, err := read(c.data, 1<<20)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = Load([]byte(data), find, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
	data, err := read("K\x05Q.", 100)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Load([]byte(data), find, func(id any) (any, error) { return []any{id}, nil })
	if diff := cmp.Diff([]any{5}, v); diff != "" || err != nil {
		t.Errorf("%v, %s", err, diff)
	}
}
