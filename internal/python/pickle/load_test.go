package pickle

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// load loads a pickle that ends where data does.
func load(data string, o Options) (*Pickle, error) {
	return Load(strings.NewReader(data), 0, int64(len(data)), o)
}

// show writes a value, for comparison.
func show(v any) string {
	var b strings.Builder
	items := func(items []any) {
		for i, v := range items {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(show(v))
		}
	}
	switch v := v.(type) {
	case nil, bool, int64, float64, *big.Int:
		return fmt.Sprint(v)
	case string:
		return fmt.Sprintf("%q", v)
	case Bytes:
		return fmt.Sprintf("b%q", string(v))
	case *Blob:
		return fmt.Sprintf("blob(%d, %t)", v.Length, v.Latin1)
	case Global:
		return v.String()
	case *Tuple:
		b.WriteByte('(')
		items(v.Items)
		b.WriteByte(')')
	case *List:
		b.WriteByte('[')
		items(v.Items)
		b.WriteByte(']')
		if v.Len != len(v.Items) {
			fmt.Fprintf(&b, "of %d", v.Len)
		}
	case *Dict:
		b.WriteByte('{')
		for k, v := range v.All() {
			fmt.Fprintf(&b, "%s: %s; ", k, show(v))
		}
		b.WriteByte('}')
		if v.Len != len(v.Entries) {
			fmt.Fprintf(&b, "of %d", v.Len)
		}
	case *Object:
		fmt.Fprintf(&b, "<%s", v.Class)
		if v.State != nil {
			b.WriteString(" " + show(v.State))
		}
		if v.Items != nil {
			b.WriteString(" " + show(v.Items))
		}
		b.WriteByte('>')
	case *Array:
		fmt.Fprintf(&b, "array(%s %v %t %t)", v.DType, v.Shape, v.BigEndian, v.Fortran)
	default:
		fmt.Fprintf(&b, "%T", v)
	}
	return b.String()
}

// TestProtocols reads what Python writes of one value in each protocol.
func TestProtocols(t *testing.T) {
	const want = `{a: [1, -2, 70000, 1099511627776, -1180591620717411303424, true, <nil>, 1.5]; ` +
		`b: ("x", "y€\n\\", b"\x00\xff"); c: {k: (1); l: [2]; }; d: {}of 1; e: [[]]; f: [4]; g: b"xy"; h: (); i: (1, 2); j: (1, 2, 3, 4); ` +
		`k: {z: 1; }; l: {a: 2; b: 1; }; m: [[]]; }`
	for p := range 6 {
		data, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("value.%d.pkl", p)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := load(string(data)+"what follows", Options{})
		if err != nil {
			t.Errorf("protocol %d: %v", p, err)
			continue
		}
		if diff := cmp.Diff(want, show(got.Value)); diff != "" {
			t.Errorf("protocol %d: %s", p, diff)
		}
		if got.End != int64(len(data)) {
			t.Errorf("protocol %d: it ends at byte %d of %d", p, got.End, len(data))
		}
	}
}

// TestArrays reads what NumPy writes of arrays.
func TestArrays(t *testing.T) {
	const want = `{f4: array(f4 [2 3] false false); long: array(u2 [5000] false false); fortran: array(u1 [2 2] false true); ` +
		`big: array(i4 [1] true false); scalar: array(i8 [] false false); objects: array( [2] false false); }`
	for p := 2; p < 6; p++ {
		data, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("numpy.%d.pkl", p)))
		if err != nil {
			t.Fatal(err)
		}
		r := bytes.NewReader(data)
		got, err := Load(r, 0, int64(len(data)), Options{})
		if err != nil {
			t.Errorf("protocol %d: %v", p, err)
			continue
		}
		if diff := cmp.Diff(want, show(got.Value)); diff != "" {
			t.Errorf("protocol %d: %s", p, diff)
		}
		arrays := got.Value.(*Dict)
		for key, want := range map[string]string{
			"f4": "0000803f000000400000404000008040" + "0000a0400000c040", "fortran": "01030204", "big": "00000001", "scalar": "0700000000000000", "objects": "",
		} {
			b, err := io.ReadAll(arrays.Get(key).(*Array).Open(r))
			if err != nil || hex.EncodeToString(b) != want {
				t.Errorf("protocol %d: %s is %x (%v), want %s", p, key, b, err, want)
			}
		}
		long, err := io.ReadAll(arrays.Get("long").(*Array).Open(r))
		if err != nil || len(long) != 10000 {
			t.Fatalf("protocol %d: %d bytes, %v", p, len(long), err)
		}
		for i := range 5000 {
			if got := int(long[2*i]) + int(long[2*i+1])<<8; got != i%251 {
				t.Fatalf("protocol %d: element %d is %d", p, i, got)
			}
		}
	}
}

// TestInert has what could run code, or refers to classes that nobody has: each
// gives placeholders.
func TestInert(t *testing.T) {
	const command = "X\x02\x00\x00\x00ls\x85"
	for name, c := range map[string]struct{ data, want string }{
		"a command":           {"\x80\x02cposix\nsystem\n" + command + "R.", "<posix.system>"},
		"an INST":             {"(S'ls'\nios\nsystem\n.", "<os.system>"},
		"an OBJ":              {"(cos\nsystem\nS'ls'\no.", "<os.system>"},
		"a NEWOBJ":            {"\x80\x02cos\nsystem\n" + command + "\x81.", "<os.system>"},
		"a NEWOBJ_EX":         {"\x80\x04cos\nsystem\n" + command + "}\x92.", "<os.system>"},
		"a STACK_GLOBAL":      {"\x80\x04\x8c\x02os\x8c\x06system\x93" + command + "R.", "<os.system>"},
		"a name on its own":   {"\x80\x02cos\nsystem\n.", "os.system"},
		"a method":            {"\x80\x02c__builtin__\ngetattr\n(cmmengine\nHistoryBuffer\nX\x04\x00\x00\x00meantR.", "<__builtin__.getattr>"},
		"a method that runs":  {"\x80\x02c__builtin__\ngetattr\n(ca\nb\nX\x01\x00\x00\x00ctR" + command + "R.", "<__builtin__.getattr>"},
		"an extension":        {"\x80\x02\x82\x01" + command + "R.", "<.>"},
		"an object":           {"\x80\x02cm\nC\n)\x81}X\x01\x00\x00\x00aK\x01sb.", "<m.C {a: 1; }>"},
		"slots":               {"\x80\x02cm\nC\n)\x81}X\x01\x00\x00\x00aK\x01s}X\x01\x00\x00\x00bK\x02s\x86b.", "<m.C ({a: 1; }, {b: 2; })>"},
		"a kind of dict":      {"\x80\x02cm\nC\n)\x81(X\x01\x00\x00\x00aK\x01K\x02K\x03u.", "<m.C {a: 1; }of 2>"},
		"a kind of list":      {"\x80\x02cm\nC\n)\x81(K\x01K\x02e.", "<m.C>"},
		"Python 2's objects":  {"ccopy_reg\n_reconstructor\n(cm\nC\nc__builtin__\nobject\nNtR(dS'a'\nI1\nsb.", "<m.C {a: 1; }>"},
		"Python 2's own dict": {"ccopy_reg\n_reconstructor\n(cm\nC\nc__builtin__\ndict\n(dS'a'\nI1\nstR.", "<m.C {a: 1; }>"},
		"pairs":               {"\x80\x02ccollections\nOrderedDict\n](]U\x01aK\x01aU\x01xK\x02e\x85R.", ""},
		"a state of a dict":   {"\x80\x02ccollections\nOrderedDict\n)R}X\x09\x00\x00\x00_metadata}sb.", "{}"},
		"a persistent id":     {"\x80\x02K\x01Q.", "<.>"},
		"one of protocol 0":   {"Pxyz\n.", "<.>"},
		"a buffer elsewhere":  {"\x80\x05\x97\x98.", "<.>"},
		"another codec":       {"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00utf8\x86R.", "<_codecs.encode>"},
		"what was popped":     {"\x80\x02K\x010(K\x021K\x03.", "3"},
		"a mark that was not": {"\x80\x02K\x03(0.", "3"},
		"twice":               {"\x80\x02]2\x86.", "([], [])"},
		"escapes":             {"S'a\\x41\\n\\'\\\\'\n.", `"aA\n'\\"`},
		"no LONG":             {"\x80\x02\x8a\x00.", "0"},
		"a LONG below 0":      {"\x80\x02\x8b\x01\x00\x00\x00\xff.", "-1"},
	} {
		got, err := load(c.data, Options{})
		if c.want == "" {
			if err == nil {
				t.Errorf("%s: loaded %s", name, show(got.Value))
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if s := show(got.Value); s != c.want {
			t.Errorf("%s: got %s, want %s", name, s, c.want)
		}
	}
	pairs, err := load("\x80\x02ccollections\nOrderedDict\n](](U\x01aK\x01e](U\x01bK\x02ee\x85R.", Options{})
	if err != nil || show(pairs.Value) != "{a: 1; b: 2; }" {
		t.Errorf("pairs: %v, %v", pairs, err)
	}
}

// TestNames lists the classes and functions of a pickle.
func TestNames(t *testing.T) {
	got, err := load("\x80\x02(cos\nsystem\nccollections\nOrderedDict\n)Rcos\nsystem\nt.", Options{})
	want := []Named{{Global{"os", "system"}, false}, {Global{"collections", "OrderedDict"}, true}}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Globals); diff != "" {
		t.Error(diff)
	}
}

// weight is a value that is wanted.
type weight struct{ key string }

func (weight) Size() int { return 100 }

// TestMeanings has the caller say what names stand for.
func TestMeanings(t *testing.T) {
	failed := errors.New("no such storage")
	o := Options{
		Call: func(f Global, args []any) (any, error) {
			if f.Name == "rebuild" {
				return args[0], nil
			}
			return nil, nil
		},
		Persistent: func(id any) (any, int, error) {
			if key, ok := id.(string); ok {
				return weight{key}, 10, nil
			}
			return nil, 0, failed
		},
	}
	got, err := load("\x80\x02cm\nrebuild\nX\x01\x00\x00\x00aQ\x85R.", o)
	if err != nil || got.Value != (weight{"a"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := load("\x80\x02K\x01Q.", o); !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"empty":             {"", "ends inside its pickled structure"},
		"no stop":           {"\x80\x02N", "ends inside its pickled structure"},
		"cut":               {"\x80\x02J\x09\x00", "ends inside its pickled structure"},
		"a long text":       {"\x80\x02X\xff\xff\xff\x7fabc", "an item of 2147483647 bytes where 3 are left"},
		"a longer text":     {"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc", "an item of 18446744073709551615 bytes where 3 are left"},
		"a frame":           {"\x80\x04\x95\x00\x00\x00\x00\x01\x00\x00\x00.", "a frame of 4294967296 bytes"},
		"nested":            {strings.Repeat("(", maxMarks+1) + ".", "nests more than 1000 deep"},
		"a line":            {"c" + strings.Repeat("x", maxLine+2), "does not end"},
		"a name":            {"\x80\x04X\x2c\x01\x00\x00" + strings.Repeat("x", 300) + "U\x01a\x93.", "a name of 301 characters"},
		"a number":          {"\x80\x02\x8b\x01\x01\x00\x00" + strings.Repeat("x", 300) + ".", "a number has 257 bytes"},
		"no number":         {"I1x\n.", `"1x" is no number`},
		"no quotes":         {"Sabc\n.", "a string has no quotes"},
		"an opcode":         {"\x80\x02\xff", "unknown opcode 0xff"},
		"no stack":          {"0.", "the stack is empty"},
		"below the mark":    {"N(\x85.", "the stack is empty"},
		"no mark":           {"t.", "there is no mark"},
		"a value called":    {"K\x01)R.", "it calls a value of type int"},
		"no arguments":      {"cm\nf\nNR.", "a call has arguments of type None"},
		"a class of number": {"\x80\x04K\x01K\x02\x93.", "a class is named by values of type int and int"},
		"no class":          {"(o.", "an object has no class"},
		"no value":          {"}(Nu.", "a key has no value"},
		"items of a number": {"K\x01(NNu.", "adds items to what holds none"},
		"items of a tuple":  {")Na.", "adds items to what holds none"},
		"nothing noted":     {"h\x05.", "asks for value 5"},
		"no pair":           {"\x80\x02ccollections\nOrderedDict\n](K\x01K\x02e\x85R.", "no key and value"},
		"array state":       {"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)RNb.", "the state of an array"},
		"array shape":       {"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R(K\x01J\xff\xff\xff\xff\x85N\x89X\x00\x00\x00\x00tb.", "a side that is negative"},
		"no Latin-1":        {"\x80\x02c_codecs\nencode\nX\x03\x00\x00\x00€X\x06\x00\x00\x00latin1\x86R.", "not those of Latin-1"},
		"copies":            {"\x80\x02](" + strings.Repeat("K\x01", 200) + "e\x85q\x000" + strings.Repeat("c__builtin__\nlist\nh\x00R0", 50) + "N.", "copies the same items"},
	} {
		got, err := load(c.data, Options{})
		if err == nil {
			t.Errorf("%s: loaded %s, want an error with %q", name, show(got.Value), c.want)
		} else if !strings.Contains(err.Error(), c.want) || len(err.Error()) > 300 {
			t.Errorf("%s: error %.400v, want one with %q", name, err, c.want)
		}
	}
	if _, err := load("N", Options{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("error %v", err)
	}
}

// history is a pickle of n items, each written by item, in a list.
func history(n int, item string) string {
	var b strings.Builder
	b.WriteString("\x80\x02]")
	for i := 0; i < n; i += 1000 {
		b.WriteByte('(')
		b.WriteString(strings.Repeat(item, 1000))
		b.WriteByte('e')
	}
	b.WriteByte('.')
	return b.String()
}

// TestNotKept reads the bookkeeping of long runs: tens of megabytes of which
// nothing is kept.
func TestNotKept(t *testing.T) {
	const text = 8 << 20
	for _, c := range []struct {
		name, data, want string
	}{
		{"numbers", history(2_000_000, "G?\xf8\x00\x00\x00\x00\x00\x00"), "[]of 2000000"},
		{"dicts", history(400_000, "}q\x01(X\x04\x00\x00\x00lossq\x02G?\xf8\x00\x00\x00\x00\x00\x00X\x02\x00\x00\x00lrq\x03K\x01u"), "[]of 400000"},
		{"tuples", history(400_000, "G?\xf8\x00\x00\x00\x00\x00\x00K\x01\x86r\xff\x00\x00\x00"), "[]of 400000"},
		{"indexes", "\x80\x02}(" + strings.Repeat("J\x00\x00\x01\x00K\x01", 200_000) + "u.", "{}of 200000"},
		{"a long text", "\x80\x02X\x00\x00\x80\x00" + strings.Repeat("x", text) + ".", fmt.Sprintf("blob(%d, false)", text)},
		{"long bytes", "\x80\x02c_codecs\nencode\nX\x00\x00\x80\x00" + strings.Repeat("\xc3\xbf", text/2) + "X\x06\x00\x00\x00latin1\x86R.", fmt.Sprintf("blob(%d, true)", text)},
		{"a line", "V" + strings.Repeat("x", text) + "\n.", fmt.Sprintf("blob(%d, false)", text+1)},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		got, err := load(c.data, Options{})
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if s := show(got.Value); s != c.want {
			t.Errorf("%s: got %.100s, want %s", c.name, s, c.want)
		}
		if grown := int(after.HeapAlloc) - int(before.HeapAlloc); grown > 1<<20 {
			t.Errorf("%s: %d bytes are kept", c.name, grown)
		}
		runtime.KeepAlive(got)
	}
}

// TestWanted keeps a large dict that holds what the caller made, and lets large
// ones beside it go.
func TestWanted(t *testing.T) {
	var large strings.Builder // over maxUnwanted, below maxOpen
	for i := range 40_000 {
		fmt.Fprintf(&large, "U\x05%05dK\x01", i)
	}
	results, state := "}("+large.String()+"u", "}("+large.String()+"U\x01wNQu"
	o := Options{Persistent: func(any) (any, int, error) { return weight{"w"}, 0, nil }}
	got, err := load("\x80\x02}(U\x01a"+results+"U\x01b"+state+"u.", o)
	if err != nil {
		t.Fatal(err)
	}
	root := got.Value.(*Dict)
	a, b := root.Get("a").(*Dict), root.Get("b").(*Dict)
	if a.Len != 40_000 || len(a.Entries) != 0 || !a.Emptied() {
		t.Errorf("%d of %d entries were kept of the dict without weights", len(a.Entries), a.Len)
	}
	if b.Len != 40_001 || len(b.Entries) != 40_001 || b.Emptied() || b.Get("w") != (weight{"w"}) {
		t.Errorf("%d of %d entries were kept of the dict with weights", len(b.Entries), b.Len)
	}
}

// TestBombs has small programs that would take any amount of memory or time.
func TestBombs(t *testing.T) {
	for name, data := range map[string]string{
		"dicts":          "\x80\x02" + strings.Repeat("}", 4<<20) + ".",
		"lists in lists": "\x80\x02" + strings.Repeat("]", 1<<20) + strings.Repeat("a", 1<<20-1) + ".",
		"ordered dicts":  "\x80\x02ccollections\nOrderedDict\nq\x00" + strings.Repeat("h\x00)R", 1<<20) + ".",
		"arrays":         "\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00" + strings.Repeat("h\x00)R", 1<<20) + ".",
		"objects":        "\x80\x02cm\nC\nq\x00" + strings.Repeat("h\x00)\x81}b", 1<<20) + ".",
		"a text again":   "\x80\x02X\x00\x10\x00\x00" + strings.Repeat("x", 4096) + "q\x00" + strings.Repeat("h\x00", 1<<20) + ".",
		"places":         "\x80\x02N" + distinct(1<<20) + ".",
		"classes":        names(1 << 19),
		"wanted":         "\x80\x02" + strings.Repeat("NQ", 2<<20) + ".",
		"marks":          "\x80\x02" + strings.Repeat("(]", 999) + strings.Repeat("]", 1<<20) + ".",
		"copies":         "\x80\x02](" + strings.Repeat("N", 1<<15) + "e\x85q\x000c__builtin__\nlist\nq\x010" + strings.Repeat("h\x01h\x00R0", 1<<16) + "N.",
	} {
		o := Options{Persistent: func(any) (any, int, error) { return weight{}, 0, nil }}
		_, err := load(data, o)
		if err == nil || !strings.Contains(err.Error(), "MiB of memory") && !strings.Contains(err.Error(), "copies the same") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// distinct asks for n places of the memo.
func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		b.Write([]byte{'j', byte(i), byte(i >> 8), byte(i >> 16), 0})
	}
	return b.String()
}

// names is a pickle that names n classes.
func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "cm\nC%d\n0", i)
	}
	return b.String() + "N."
}
