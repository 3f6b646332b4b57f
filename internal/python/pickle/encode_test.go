package pickle

import "testing"

// The opcodes are of pickletools; a string this long is not written in a test.
func TestUnicodeLength(t *testing.T) {
	for _, c := range []struct {
		length uint64
		want   string
	}{
		{0, "X\x00\x00\x00\x00"},
		{0x01020304, "X\x04\x03\x02\x01"},
		{1<<32 - 1, "X\xff\xff\xff\xff"},
		{1 << 32, "\x8d\x00\x00\x00\x00\x01\x00\x00\x00"},
	} {
		if got := string(appendUnicodeLength(nil, c.length)); got != c.want {
			t.Errorf("length %d is %q, want %q", c.length, got, c.want)
		}
	}
}
