package checkpoint

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
)

const fixtures = "../../testdata/checkpoints"

// TestOpenBad opens files that must be refused before any tensor is looked at.
func TestOpenBad(t *testing.T) {
	for name, want := range map[string]string{
		"empty":            "the file is empty",
		"text":             "not a PyTorch checkpoint",
		"empty_state_dict": `no tensor that can be read stands under its keys "state_dict" (dict of 0)`,
		"not_a_dict":       "it holds a value of type list, not a dict",
		"truncated_zip":    "truncated or damaged",
		"truncated_legacy": "truncated",
		"huge_storage":     "claims 1152921504606846976 elements",
		"huge_string":      "has an item of 2147483647 bytes",
		"huge_string8":     "has an item of",
		"deep_marks":       "nests more than",
		"opcode_255":       "unknown opcode 0xff",
		"stack_underflow":  "the stack is empty",
		"no_stop":          "ends inside its pickled structure",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(fixtures, "bad", name+".pth")
			c, err := Open(path)
			if err == nil {
				c.Close()
				t.Fatal("opened")
			}
			if got := err.Error(); !strings.Contains(got, want) || !strings.Contains(got, path) {
				t.Errorf("got error %q, want the path and %q", got, want)
			}
		})
	}
}

// TestRecognized has other files that people take for checkpoints.
func TestRecognized(t *testing.T) {
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar")
	for name, c := range map[string]struct{ data, want string }{
		"a web page":       {"<!DOCTYPE html><html>404</html>", "a web page"},
		"a Git LFS file":   {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS"},
		"a gzipped file":   {"\x1f\x8b\x08\x00", "gzip"},
		"a pickle":         {"\x80\x04N.", "a Python pickle that torch did not write"},
		"a cut checkpoint": {"\x80\x02\x8a\x0a\x6c", "a Python pickle"},
		"a tar file":       {string(tar), "a tar archive"},
		"text":             {"hello", "neither torch's zip format"},
	} {
		if f, err := Open(fileOf(t, []byte(c.data))); err == nil {
			f.Close()
			t.Errorf("%s: opened", name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// TestWrappers takes out of names what PyTorch's wrappers put into them.
func TestWrappers(t *testing.T) {
	for full, want := range map[string]string{
		"module.a.weight": "a.weight", "module.module.a": "a", "_orig_mod.module.a": "a", "module._orig_mod.a": "a", "model._orig_mod.a.weight": "model.a.weight",
		"a._fsdp_wrapped_module.b._checkpoint_wrapped_module.c": "a.b.c", "a.module.b": "a.module.b", "modules.a": "modules.a", "module": "module", "": "",
	} {
		if got := unwrapped(full); got != want {
			t.Errorf("%q became %q, want %q", full, got, want)
		}
	}
}

// TestCheckBad has files whose structure reads well but lies about a tensor.
func TestCheckBad(t *testing.T) {
	for name, want := range map[string]string{
		"negative_offset":   "negative storage offset -8",
		"overflowing_shape": "overflows",
		"beyond_storage":    "reaches element 16 of a storage of 16",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Open(filepath.Join(fixtures, "bad", name+".pth"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Float32("head"); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v, want %q", err, want)
			}
		})
	}
}

// TestVerifyChecksum reads a file in which one bit of a tensor is wrong.
func TestVerifyChecksum(t *testing.T) {
	c, err := Open(filepath.Join(fixtures, "bad", "flipped_bit.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Verify(); err != nil {
		t.Fatalf("nothing was read, but Verify says %v", err)
	}
	for _, name := range c.Names {
		if _, err := c.Float32(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Verify(); err == nil || !strings.Contains(err.Error(), "CRC-32") {
		t.Errorf("got error %v, want one on the CRC-32", err)
	}
}

// TestContainers opens every container and finds the same tensors.
func TestContainers(t *testing.T) {
	want, err := Open(filepath.Join(fixtures, "ok", "bare_state_dict.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for _, name := range []string{"train", "legacy", "deflated", "plain_dict", "model_key", "data_parallel",
		"ema_hook", "parameters", "channels_last", "float64"} {
		t.Run(name, func(t *testing.T) {
			c, err := Open(filepath.Join(fixtures, "ok", name+".pth"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if len(c.Names) != len(want.Names) {
				t.Fatalf("%d tensors, want %d", len(c.Names), len(want.Names))
			}
			for i, key := range want.Names {
				if c.Names[i] != key {
					t.Fatalf("tensor %d is %q, want %q", i, c.Names[i], key)
				}
				got, err := c.Float32(key)
				if err != nil {
					t.Fatal(err)
				}
				w, err := want.Float32(key)
				if err != nil {
					t.Fatal(err)
				}
				equalBits(t, key, got, w)
			}
			if err := c.Verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

func equalBits(t *testing.T, name string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", name, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %v, want %v", name, i, got[i], want[i])
		}
	}
}

func TestMeta(t *testing.T) {
	c, err := Open(filepath.Join(fixtures, "ok", "train.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := strings.Join(c.Classes, ""); got != "abcde" {
		t.Errorf("classes %q, want a b c d e", c.Classes)
	}
	ema, err := Open(filepath.Join(fixtures, "ok", "ema_hook.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer ema.Close()
	if ema.Averages != len(ema.Names) {
		t.Errorf("%d averaged tensors, want %d", ema.Averages, len(ema.Names))
	}
}

// TestReadRows reads every tensor of strided files in slices of every height.
func TestReadRows(t *testing.T) {
	for _, name := range []string{"channels_last", "spread", "shared_storage", "deflated"} {
		c, err := Open(filepath.Join(fixtures, "ok", name+".pth"))
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range c.Names {
			ts := c.Tensors[key]
			if len(ts.Shape) == 0 {
				continue
			}
			want, err := ts.Float32()
			if err != nil {
				t.Fatal(err)
			}
			var buf []byte
			for _, rows := range []int{1, 3, ts.Shape[0]} {
				width := ts.Numel() / ts.Shape[0]
				got := make([]float32, len(want))
				for from := 0; from < ts.Shape[0]; from += rows {
					to := min(from+rows, ts.Shape[0])
					if err := ts.ReadRows(got[from*width:to*width], from, to, &buf); err != nil {
						t.Fatal(err)
					}
				}
				equalBits(t, name+": "+key, got, want)
			}
			if err := ts.ReadRows(make([]float32, 1), 0, ts.Shape[0]+1, &buf); err == nil {
				t.Errorf("%s: rows beyond the end were read", key)
			}
		}
		c.Close()
	}
}

// TestFloat16 widens all halves and compares with the definition.
func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		sign, exp, frac := 1.0, h>>10&31, float64(h&1023)
		if h&0x8000 != 0 {
			sign = -1
		}
		var want float64
		switch {
		case exp == 31 && frac != 0:
			want = math.NaN()
		case exp == 31:
			want = math.Inf(int(sign))
		case exp == 0:
			want = sign * math.Ldexp(frac, -24)
		default:
			want = sign * math.Ldexp(1024+frac, exp-25)
		}
		got := float64(float16(uint16(h)))
		if math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("half %04x is %v, want %v", h, got, want)
		}
	}
}
