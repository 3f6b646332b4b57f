package figure

import (
	"io"
	"strings"
	"testing"
)

func TestHeadingLines(t *testing.T) {
	for _, test := range []struct{ machine, want string }{
		{"Processor", "Title\nProcessor, one thread"},
		{strings.Repeat("x", 80), "Title\n" + strings.Repeat("x", 80) + "\none thread"},
		{strings.Repeat("é", 95), "Title\n" + strings.Repeat("é", 89) + "…\none thread"},
	} {
		if got := (Heading{"Title", test.machine, "one thread"}).lines(); got != test.want {
			t.Errorf("lines %q, want %q", got, test.want)
		}
	}
}

// In a page, text is escaped, and the page chooses the colours.
func TestInline(t *testing.T) {
	for _, f := range []Figure{
		Accuracy(Heading{Title: "T"}, []Speed{{Variant: "<a&b>", Top1: 70, Train: 10, Deploy: 20}, {Variant: "c", Top1: 75, Deploy: 5}}),
		Bars(Heading{Title: "T"}, "ms", []Bar{{Name: "stem", Group: "<a&b>", Length: 1, Text: "1 ms"}, {Name: "head", Group: "linear", Length: 2}}),
	} {
		text, err := f.Inline()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"&lt;a&amp;b&gt;", "var(--ink)", "var(--line)", "var(--deploy)"} {
			if !strings.Contains(text, want) {
				t.Errorf("the figure lacks %q", want)
			}
		}
		for _, bad := range []string{"<?xml", "<a&", "#1F2933", "#FFFFFF"} {
			if strings.Contains(text, bad) {
				t.Errorf("the figure has %q", bad)
			}
		}
	}
}

// Many charts make a picture that is too high for PNG, but not for SVG.
func TestTooHighForPNG(t *testing.T) {
	f := Bars(Heading{Title: "T"}, "ms", make([]Bar, 1000))
	if err := WritePNG(io.Discard, []Figure{f}); err == nil || !strings.Contains(err.Error(), "write .svg") {
		t.Errorf("error %v", err)
	}
	if err := WriteSVG(io.Discard, []Figure{f}); err != nil {
		t.Error(err)
	}
}
