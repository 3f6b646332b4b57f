package value

import (
	"math"
	"testing"
)

// The wanted texts are what CPython 3.11's repr gives for the same value.
func TestFormat(t *testing.T) {
	d := new(Dict)
	d.Set("size", Tuple{int64(256), int64(-1)})
	d.Set(2, List{nil, true, false})
	tests := []struct {
		v    Value
		want string
	}{
		{nil, "None"},
		{int64(-7), "-7"},
		{1.0, "1.0"},
		{0.1, "0.1"},
		{123.675, "123.675"},
		{1e-4, "0.0001"},
		{1e-5, "1e-05"},
		{1.5e-7, "1.5e-07"},
		{1e15, "1000000000000000.0"},
		{1e16, "1e+16"},
		{1.25e100, "1.25e+100"},
		{math.Copysign(0, -1), "-0.0"},
		{math.Inf(-1), "-inf"},
		{math.NaN(), "nan"},
		{"a", "'a'"},
		{"it's", `"it's"`},
		{`both ' and "`, `'both \' and "'`},
		{"tab\tline\ncr\r\\", `'tab\tline\ncr\r\\'`},
		{"é\x01\u200b\U000e0001", `'é\x01\u200b\U000e0001'`},
		{"\xff", `'\xff'`},
		{List{}, "[]"},
		{Tuple{}, "()"},
		{Tuple{int64(3)}, "(3,)"},
		{List{Tuple{int64(1), "b"}}, "[(1, 'b')]"},
		{d, "{'size': (256, -1), 2: [None, True, False]}"},
		{(*Dict)(nil), "{}"},
	}
	for _, test := range tests {
		if got := Format(test.v); got != test.want {
			t.Errorf("Format(%#v) = %s, want %s", test.v, got, test.want)
		}
	}
}

func TestDict(t *testing.T) {
	var d Dict
	d.Set("b", int64(1))
	d.Set("a", int64(2))
	d.Set("b", int64(3))
	d.Set(2, "two")
	d.Set(1.5, "ignored")
	if got, want := Format(&d), "{'b': 3, 'a': 2, 2: 'two'}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if v, ok := d.Get(int64(2)); !ok || v != "two" {
		t.Errorf("Get(int64(2)) = %v, %v", v, ok)
	}
	if _, ok := d.Get([]int{1}); ok {
		t.Error("a slice is no key")
	}
	copied := Clone(&d).(*Dict)
	if !copied.Equal(&d) {
		t.Error("a copy is not equal")
	}
	copied.Set("a", List{})
	if copied.Equal(&d) || d.Equal(copied) {
		t.Error("dicts with different values are equal")
	}
	if _, ok := d.Remove("b"); !ok || d.Len() != 2 || copied.Len() != 3 {
		t.Errorf("after Remove: %s, copy %s", Format(&d), Format(copied))
	}
}
