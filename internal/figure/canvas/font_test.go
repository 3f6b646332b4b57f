package canvas

import (
	"strings"
	"testing"
	"time"
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

// shortenSlowly is Shorten as it is defined: the longest beginning that fits.
func shortenSlowly(f *Face, s string, width int) string {
	if f.Width(s) <= width {
		return s
	}
	letters := []rune(s)
	for n := len(letters) - 1; n > 0; n-- {
		if cut := strings.TrimRight(string(letters[:n]), " ,") + "…"; f.Width(cut) <= width {
			return cut
		}
	}
	return ""
}

func TestShortenIsLongest(t *testing.T) {
	for _, size := range []float64{8, 13, 31} {
		face, err := NewFace(size)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{
			"", "a", " ", "…", "AVAVATo,,, ,x", "  , ,", "a          b", "tench, Tinca tinca", "Größe, Ширина, 漢字", "fi…fl", strings.Repeat("WAV ", 9), "a\x00\u0301\uFFFDb",
		} {
			for width := -1; width < face.Width(s)+3; width++ {
				if got, want := face.Shorten(s, width), shortenSlowly(face, s, width); got != want {
					t.Fatalf("size %v, %q, width %d: %q, want %q", size, s, width, got, want)
				}
			}
		}
	}
}

// A name may come from a checkpoint that is not trusted.
func TestShortenLongText(t *testing.T) {
	face, err := NewFace(13)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for _, s := range []string{strings.Repeat("abc ", 1<<22), strings.Repeat(" ", 1<<20), strings.Repeat("\x00,", 1<<20)} {
		if got := face.Shorten(OneLine(s), 170); face.Width(got) > 170 || got == "" {
			t.Errorf("%.20q...: %q", s, got)
		}
		face.Shorten(s, 170)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestOneLine(t *testing.T) {
	if got := OneLine(strings.Repeat("é", 5000)); got != strings.Repeat("é", 1000)+"…" {
		t.Errorf("%d bytes of a long text, which end in %q", len(got), got[len(got)-6:])
	}
	if got := OneLine("a\tb\nc\x1b[1m é漢\u200b"); got != "a b c [1m é漢 " {
		t.Errorf("%q", got)
	}
}
