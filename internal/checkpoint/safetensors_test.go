package checkpoint

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// safetensorsFile writes a header of which the length is true, and some bytes.
func safetensorsFile(t *testing.T, header string, data int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.safetensors")
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(append(b, header...), make([]byte, data)...)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHostileHeaders has headers that lie about the file.
func TestHostileHeaders(t *testing.T) {
	const a = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for _, c := range []struct {
		name, header string
		data         int
		want         string
	}{
		{"no end", `{` + a, 8, "damaged: unexpected EOF"},
		{"no JSON", `{garbage}`, 0, "damaged: invalid character"},
		{"something behind it", `{` + a + `} x`, 8, "goes on after its end"},
		{"no tensors", `{"__metadata__":{"format":"pt"}}`, 0, "holds no tensors"},
		{"a name twice", `{` + a + `,` + a + `}`, 8, `tensor "a" is there twice`},
		{"no offsets", `{"a":{"dtype":"F32","shape":[2]}}`, 8, "no dtype, shape and two data_offsets"},
		{"no shape", `{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4, "no dtype, shape and two data_offsets"},
		{"no type", `{"a":{"shape":[1],"data_offsets":[0,4]}}`, 4, "no dtype, shape and two data_offsets"},
		{"other letters", `{"a":{"DTYPE":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, "no dtype, shape and two data_offsets"},
		{"two shapes", `{"a":{"dtype":"F32","shape":[2],"shape":[1],"data_offsets":[0,4]}}`, 4, `"shape" is there twice`},
		{"null as shape", `{"a":{"dtype":"F32","shape":null,"data_offsets":[0,4]}}`, 4, "want a list of at most 64 whole numbers"},
		{"null in a shape", `{"a":{"dtype":"F32","shape":[null,3],"data_offsets":[0,0]}}`, 0, "want a list of at most 64 whole numbers"},
		{"a string in a shape", `{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}`, 4, "want a list of at most 64 whole numbers"},
		{"fractions", `{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, 4, "want a list of at most 64 whole numbers"},
		{"a number as type", `{"a":{"dtype":32,"shape":[1],"data_offsets":[0,4]}}`, 4, "its dtype is not a string"},
		{"a list as entry", `{"a":["F32",[1],[0,4]]}`, 4, "something else stands where an object belongs"},
		{"millions of offsets", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0` + strings.Repeat(",0", 1<<20) + `]}}`, 8, "want a list of at most 64"},
		{"digits", `{"a":{"dtype":"F32","shape":[` + strings.Repeat("9", 1<<20) + `],"data_offsets":[0,8]}}`, 8, "want a list of at most 64"},
		{"three offsets", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,16]}}`, 8, "two data_offsets in ascending order"},
		{"backwards", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8, "two data_offsets in ascending order"},
		{"before the data", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}`, 8, `"data_offsets": want a list of at most 64 whole numbers from 0`},
		{"fewer bytes than the shape", `{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8, "shape (3,) of F32 takes 12"},
		{"more bytes than the shape", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`, 8, "shape (1,) of F32 takes 4"},
		{"a negative shape", `{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8, `"shape": want a list of at most 64 whole numbers from 0`},
		{"a huge shape", `{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}`, 8, "shape (4611686018427387904, 4) is too large"},
		{"a number too large", `{"a":{"dtype":"F32","shape":[1e30],"data_offsets":[0,8]}}`, 8, `"shape": want a list of`},
		{"many dimensions", `{"a":{"dtype":"F32","shape":[1` + strings.Repeat(",1", 70) + `],"data_offsets":[0,4]}}`, 4, "want a list of at most 64"},
		{"truncated", `{` + a + `}`, 4, "truncated"},
		{"a gap", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12, "where byte 0 is the next"},
		{"an overlap", `{` + a + `,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12, "where byte 8 is the next"},
		{"bytes nobody has", `{` + a + `}`, 12, "take 8 bytes, but 12 follow"},
		{"deep", `{"a":` + strings.Repeat("[", 20000), 0, "damaged"},
	} {
		path := safetensorsFile(t, c.header, c.data)
		f, err := Open(path)
		if err == nil {
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || len(err.Error()) > 400 {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
	long := filepath.Join(t.TempDir(), "long.safetensors")
	if err := os.WriteFile(long, []byte("\xff\xff\xff\x7f\x00\x00\x00\x00{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(long); err == nil || !strings.Contains(err.Error(), "header takes 2147483647 bytes of a file of 10") {
		t.Errorf("got error %v for a header beyond the file", err)
	}
}

// TestSafetensorsTypes reads what a header describes, in its order; a type that
// is not read leaves its tensor unreadable and the others as they are.
func TestSafetensorsTypes(t *testing.T) {
	path := safetensorsFile(t, `{"z":{"dtype":"F32","shape":[],"data_offsets":[4,8]},"f8":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]},`+
		`"module.b":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12],"new":1},"none":{"dtype":"I64","shape":[0,3],"data_offsets":[12,12]}}   `, 12)
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := strings.Join(c.Names, " "); got != "z b none" {
		t.Errorf("tensors %q", got)
	}
	if !c.Unreadable["f8"] {
		t.Error("the tensor of 8-bit floats is not among the unreadable")
	}
	for name, want := range map[string]int{"z": 1, "b": 2, "none": 0} {
		if got, err := c.Float32(name); err != nil || len(got) != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
