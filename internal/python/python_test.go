package python

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"repvgg/internal/testkit/need"
	"slices"
	"strings"
	"testing"
)

// The wanted texts are what CPython 3.11 prints.
func TestFloat(t *testing.T) {
	for _, test := range []struct {
		v    float64
		want string
	}{
		{0, "0.0"}, {1, "1.0"}, {0.1, "0.1"}, {-123.675, "-123.675"}, {1e-4, "0.0001"}, {0.00009999, "9.999e-05"}, {1.5e-7, "1.5e-07"},
		{9999999999999998, "9999999999999998.0"}, {1e16, "1e+16"}, {1.25e100, "1.25e+100"}, {5e-324, "5e-324"},
		{math.Copysign(0, -1), "-0.0"}, {math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {math.NaN(), "nan"},
	} {
		if got := Float(test.v); got != test.want {
			t.Errorf("Float(%g) is %s, want %s", test.v, got, test.want)
		}
	}
	if got := string(AppendFloat([]byte("1."), 2)); got != "1.2.0" {
		t.Errorf("2 behind a point is %s", got)
	}
}

func TestRounded(t *testing.T) {
	for _, test := range []struct {
		v      float64
		digits int
		want   string
	}{
		{72.41000366210938, 2, "72.41"}, {90.5, 2, "90.5"}, {100, 2, "100.0"}, {2.675, 2, "2.67"}, {0.125, 2, "0.12"}, {2.5, 0, "2.0"},
		{0.004, 2, "0.0"}, {-0.004, 2, "-0.0"}, {1234.5, -2, "1200.0"}, {-250, -2, "-200.0"}, {35, -1, "40.0"}, {-3, -1, "-0.0"}, {1.6978209643926514e+16, -1, "1.697820964392651e+16"}, {1e300, 1, "1e+300"}, {1.5, 400, "1.5"}, {-1.5, -400, "-0.0"},
		{math.NaN(), 2, "nan"}, {math.Inf(1), 2, "inf"},
	} {
		if got := Rounded(test.v, test.digits); got != test.want {
			t.Errorf("Rounded(%g, %d) is %s, want %s", test.v, test.digits, got, test.want)
		}
	}
}

func TestString(t *testing.T) {
	for _, test := range []struct{ s, want string }{
		{"", "''"}, {"a", "'a'"}, {"it's", `"it's"`}, {`both ' and "`, `'both \' and "'`}, {"tab\tline\ncr\r\\", `'tab\tline\ncr\r\\'`},
		{"é\x01\u00a0\u200b\U000e0001😀", `'é\x01\xa0\u200b\U000e0001😀'`}, {"\xff", `'\xff'`},
	} {
		if got := String(test.s); got != test.want {
			t.Errorf("String(%q) is %s, want %s", test.s, got, test.want)
		}
	}
}

func TestRunes(t *testing.T) {
	want := []rune{'a', 0xdce9, 0x6f22, 0xdced, 0xdca0, 0xdc80, utf8Error}
	if got := slices.Collect(Runes("a\xe9漢\xed\xa0\x80\ufffd")); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	for range Runes("ab") {
		break
	}
}

const utf8Error = 0xfffd // as a character of the text

// TestAgainstPython compares with CPython on random values.
func TestAgainstPython(t *testing.T) {
	interpreter := need.Python(t, need.Torch)
	rng := rand.New(rand.NewPCG(1, 1))
	var in, want bytes.Buffer
	for range 5000 {
		v := math.Float64frombits(rng.Uint64())
		if rng.IntN(2) == 0 {
			v = math.Ldexp(rng.Float64(), rng.IntN(80)-20)
		}
		digits := rng.IntN(30) - 20
		fmt.Fprintf(&in, "f %016x %d\n", math.Float64bits(v), digits)
		fmt.Fprintf(&want, "%s %s\n", Float(v), Rounded(v, digits))
		s := randomText(rng)
		fmt.Fprintf(&in, "s %x\n", s)
		fmt.Fprintf(&want, "%s\n", String(s))
	}
	const script = `
import struct, sys
sys.stdout.reconfigure(encoding="utf-8")
for line in sys.stdin:
    kind, data, *digits = line.rstrip("\n").split(" ")
    data = bytes.fromhex(data)
    if kind == "s":
        print(repr(data.decode()))
    else:
        v = struct.unpack(">d", data)[0]
        print(repr(v), str(round(v, int(digits[0]))))
`
	cmd := exec.Command(interpreter, "-c", script)
	cmd.Stdin = &in
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	got, expected := strings.Split(string(out), "\n"), strings.Split(want.String(), "\n")
	if len(got) != len(expected) {
		t.Fatalf("%d lines, want %d", len(got), len(expected))
	}
	for i := range got {
		if got[i] != expected[i] {
			t.Errorf("Python writes %s, we %s", got[i], expected[i])
		}
	}
}

// randomText returns random characters on which the Unicode tables of both
// languages agree.
func randomText(rng *rand.Rand) string {
	letters := []rune("ab'\"\\ \t\n\r\x00\x1f\x7f\u0085\u00a0\u00e9\u200b\u2028\u6f22\U0001f600\U000e0001")
	text := make([]rune, rng.IntN(8))
	for i := range text {
		text[i] = letters[rng.IntN(len(letters))]
	}
	return string(text)
}
