package canvas

import (
	"strings"
	"testing"
)

func TestShorten(t *testing.T) {
	face, err := NewFace(16)
	if err != nil {
		t.Fatal(err)
	}
	const s = "tabby, tabby cat"
	whole := face.Width(s)
	for width := range whole + 2 {
		got := face.Shorten(s, width)
		if n := face.Width(got); n > width {
			t.Fatalf("width %d: %q is %d wide", width, got, n)
		}
		if head, cut := strings.CutSuffix(got, "…"); !strings.HasPrefix(s, head) || cut == (width >= whole) && got != "" {
			t.Errorf("width %d of %d: %q", width, whole, got)
		}
	}
	if got := face.Shorten(s, whole/2); len(got) < 6 {
		t.Errorf("half of the width holds only %q", got)
	}
}

func TestOneLine(t *testing.T) {
	if got := OneLine("a\tb\nc\x1b[1m é漢\u200b"); got != "a b c [1m é漢 " {
		t.Errorf("%q", got)
	}
}
