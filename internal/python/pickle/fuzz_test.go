package pickle

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad loads damaged pickles, and programs made of opcodes that fit one
// another better than chance has them. Whatever happens, what the machine counts
// must be no less than what it keeps.
func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/value.*.pkl")
	if err != nil || len(paths) == 0 {
		f.Fatal("no fixtures", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, false)
	}
	for _, seed := range []string{"", "\x10\x11\x12\x13", strings.Repeat("\x05\x20\x33", 20), "\x0a\x0b\x0c\x0d\x0e\x0f\x1e\x1d\x1c\x1b\x1a\x09\x08\x07"} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, program bool) {
		if len(data) > 1<<14 {
			return
		}
		text := string(data)
		if program {
			text = assemble(data)
		}
		m := machine{memo: make(map[int64]any), globals: make(map[Global]int), o: Options{
			Memory:     1 << 20,
			Persistent: func(id any) (any, int, error) { return weight{fmt.Sprint(id)}, 0, nil },
			Call: func(f Global, args []any) (any, error) {
				if f.Name == "first" && len(args) > 0 {
					return args[0], nil
				}
				return nil, nil
			},
		}}
		v, err := m.run(strings.NewReader(text), 0, int64(len(text)))
		if m.kept < 0 || err == nil && m.kept > m.budget {
			t.Fatalf("%d bytes are counted", m.kept)
		}
		held := holder{seen: make(map[any]bool)}
		held.value(v)
		for _, v := range m.stack {
			held.value(v)
		}
		for _, v := range m.memo {
			held.value(v)
		}
		if held.bytes > m.kept && err == nil {
			t.Fatalf("%d bytes are counted where %d are kept: %s", m.kept, held.bytes, show(v))
		}
	})
}

// holder adds up what values take, each container once.
type holder struct {
	seen  map[any]bool
	bytes int
}

func (h *holder) values(items []any) {
	for _, v := range items {
		h.bytes += slotCost
		h.value(v)
	}
}

func (h *holder) value(v any) {
	switch v := v.(type) {
	case string:
		h.bytes += len(v)
	case Bytes:
		h.bytes += len(v)
	case *big.Int, *Blob:
		h.bytes += 32
	case container:
		if h.seen[v] {
			return
		}
		h.seen[v] = true
		h.bytes += objectCost
		switch v := v.(type) {
		case *Tuple:
			h.values(v.Items)
		case *List:
			h.values(v.Items)
		case *Dict:
			for k, v := range v.All() {
				h.bytes += len(k) + slotCost
				h.values([]any{v})
			}
		case *Object:
			h.value(v.State)
			if v.Items != nil {
				h.value(v.Items)
			}
		case *Array:
			h.value(v.data)
		}
	case Sized:
		h.bytes += v.Size()
	}
}

// assemble makes a program of bytes, each of which chooses a few opcodes.
func assemble(data []byte) string {
	var b strings.Builder
	b.WriteString("\x80\x04")
	pieces := []string{
		"N", "K\x07", "G?\xf8\x00\x00\x00\x00\x00\x00", "\x88", "X\x01\x00\x00\x00a", "X\x03\x00\x00\x00b.c", "C\x02xy",
		"]", "}", ")", "\x8f", "(", "(", "t", "l", "d", "a", "s", "e", "u", "\x90", "\x91", "\x85", "\x86", "\x87",
		"0", "1", "2", "q\x01", "q\x02", "h\x01", "h\x02", "\x94", "h\x00",
		"ccollections\nOrderedDict\n", "ccollections\ndefaultdict\n", "c__builtin__\nset\n", "c__builtin__\nlist\n",
		"ccopy_reg\n_reconstructor\n", "c_codecs\nencode\n", "X\x06\x00\x00\x00latin1", "cnumpy.core.multiarray\n_reconstruct\n",
		"cnumpy\ndtype\n", "cos\nsystem\n", "cm\nfirst\n", "(im\nC\n", "R", "R", "b", "b", "\x81", "o", "\x92", "Q", "\x93",
		"}X\x01\x00\x00\x00aNs", "](K\x01K\x02e", "(X\x01\x00\x00\x00kNu", ")R", ")\x81", "\x85R", "NQ", "](]U\x01ka]U\x01ke",
	}
	for _, c := range data {
		if c == 0xff { // a large one
			b.WriteString("(" + strings.Repeat("NX\x02\x00\x00\x00zz", 300) + "t")
			continue
		}
		b.WriteString(pieces[int(c)%len(pieces)])
	}
	return b.String() + "."
}
