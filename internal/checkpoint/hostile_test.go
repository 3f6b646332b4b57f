package checkpoint

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// handmade writes a checkpoint with this structure and one storage of 64 bytes,
// both compressed.
func handmade(t *testing.T, pickle string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "handmade.pth")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for name, data := range map[string]string{"archive/data.pkl": pickle, "archive/data/0": strings.Repeat("\x00", 64)} {
		e, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func str(s string) string { return "X" + string([]byte{byte(len(s)), 0, 0, 0}) + s }

// tensor16 pickles a tensor of 16 elements, with its 7th argument if there is one.
func tensor16(metadata string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n((" + str("storage") + "ctorch\nFloatStorage\n" + str("0") + str("cpu") + "K\x10tQ" +
		"K\x00(K\x10t(K\x01t\x89}" + metadata + "tR"
}

// TestOddKeys has dicts under keys that are no names beside the tensors.
func TestOddKeys(t *testing.T) {
	c, err := Open(handmade(t, "\x80\x02}(K\x00}"+str("")+"}"+str("a")+tensor16("")+"u."))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if len(c.Names) != 1 || c.Names[0] != "a" || c.Key != "" {
		t.Errorf("tensors %q under %q", c.Names, c.Key)
	}
}

// TestHostileStructures has structures that no torch writes: each is refused,
// quickly and in a few words.
func TestHostileStructures(t *testing.T) {
	const proto = "\x80\x02"
	for _, c := range []struct{ name, pickle, want string }{
		{"a bomb of dicts", proto + strings.Repeat("}", 4<<20) + ".", "MiB of memory"},
		{"a bomb of ordered dicts", proto + "ccollections\nOrderedDict\nq\x00" + strings.Repeat("h\x00)R", 1<<20) + ".", "MiB of memory"},
		{"a name twice", proto + "}(" + str("module.a") + tensor16("") + str("a") + tensor16("") + "u.", `tensor "a" is there twice`},
		{"a call of a value", proto + "K\x01)R.", "its pickled structure is damaged: it calls a value of type int"},
		{"a name to print", proto + "}" + str("a") + "ctorch._utils\n_rebuild_x\x1b[31m\n)Rs.", `torch._utils._rebuild_x\x1b[31m`},
	} {
		path := handmade(t, c.pickle)
		f, err := Open(path)
		if err == nil {
			f.Close()
			t.Errorf("%s: opened", c.name)
		} else if got := err.Error(); !strings.Contains(got, c.want) || len(got) > len(path)+400 || strings.ContainsAny(got, "\x1b\r") {
			t.Errorf("%s: got error %.600q, want %q", c.name, got, c.want)
		}
	}
}

// TestLazyViews has a tensor that is to be negated when it is read, beside one
// that might have been.
func TestLazyViews(t *testing.T) {
	f, err := Open(handmade(t, "\x80\x02}("+str("a")+tensor16("}"+str("neg")+"\x89s")+str("b")+tensor16("}"+str("neg")+"\x88s")+"u."))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Float32("a"); err != nil {
		t.Error(err)
	}
	if _, err := f.Float32("b"); err == nil || !strings.Contains(err.Error(), `tensor "b": it is a lazy view ("neg")`) {
		t.Errorf("error %v", err)
	}
}

// TestUnreadable has an entry of the state dict that is no tensor of ours.
func TestUnreadable(t *testing.T) {
	f, err := Open(handmade(t, "\x80\x02}("+str("a")+tensor16("")+str("b")+"ctorch._utils\n_rebuild_qtensor\n)Ru."))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !f.Unreadable["b"] || f.Unreadable["a"] {
		t.Errorf("unreadable %v, want b", f.Unreadable)
	}
}

// TestPasses reads a compressed storage backwards: refused before it costs
// more than a few passes.
func TestPasses(t *testing.T) {
	f, err := Open(filepath.Join(fixtures, "ok", "deflated.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ts := f.Tensors["backbone.stage_4.0.branch_3x3.conv.weight"]
	var buf []byte
	row := make([]float32, ts.Numel()/ts.Shape[0])
	for i := range 10000 {
		if err := ts.ReadRows(row, ts.Shape[0]-1-i%2, ts.Shape[0]-i%2, &buf); err != nil {
			if !strings.Contains(err.Error(), "jump about") || i < maxPasses {
				t.Errorf("read %d: %v", i, err)
			}
			return
		}
	}
	t.Error("read backwards 10000 times")
}
