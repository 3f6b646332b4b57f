package canvas

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// parsedFont is the Go font, with Latin, Greek and Cyrillic letters. Other letters
// are drawn as boxes.
var parsedFont = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })

// Face is the Go font in one size. It is not safe for concurrent use.
type Face struct{ face font.Face }

// NewFace returns the font in a size in pixels.
func NewFace(size float64) (*Face, error) {
	f, err := parsedFont()
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, err
	}
	return &Face{face}, nil
}

// Width returns the width of a text in pixels.
func (f *Face) Width(s string) int { return font.MeasureString(f.face, s).Ceil() }

// Shorten cuts the end of a text off so that it is no wider than width pixels. It
// looks at each letter once, and at none that is far beyond the width.
func (f *Face) Shorten(s string, width int) string {
	const mark = '…'
	most := fixed.I(width)
	markWidth, _ := f.face.GlyphAdvance(mark)
	cut := ""
	// What was passed, and as much of it as does not end in a space or comma.
	var all, kept pen
	for i := 0; i < len(s); {
		// s[:i], which is shorter than s, with the mark for the rest.
		if i > 0 && kept.at+f.kern(kept.last, mark)+markWidth <= most {
			cut = s[:kept.end] + string(mark)
		}
		if kept.at > most {
			return cut
		}
		c, size := utf8.DecodeRuneInString(s[i:])
		i += size
		advance, _ := f.face.GlyphAdvance(c)
		all = pen{at: all.at + f.kern(all.last, c) + advance, last: c, end: i}
		if c != ' ' && c != ',' {
			kept = all
		}
	}
	if all.at <= most {
		return s
	}
	return cut
}

// pen is a place behind a letter of a text: its distance from the start, the letter,
// and where the text goes on.
type pen struct {
	at   fixed.Int26_6
	last rune // 0 at the start
	end  int
}

// kern is what a letter is moved by that follows another.
func (f *Face) kern(before, c rune) fixed.Int26_6 {
	if before == 0 {
		return 0
	}
	return f.face.Kern(before, c)
}

// Draw draws a line of text. at is the top left corner of its tallest letters.
func (f *Face) Draw(dst draw.Image, at image.Point, c color.Color, s string) {
	drawMask(dst, f.mask(s), at, c)
}

// mask returns the shape of a line of text, as high as the tallest letter of the
// font.
func (f *Face) mask(s string) *image.Alpha {
	m := f.face.Metrics()
	mask := image.NewAlpha(image.Rect(0, 0, f.Width(s)+1, (m.Ascent + m.Descent).Ceil()))
	d := font.Drawer{Dst: mask, Src: image.Opaque, Face: f.face, Dot: fixed.Point26_6{Y: m.Ascent}}
	d.DrawString(s)
	return mask
}

// turned returns the mask rotated to the left by 90 degrees, for text that runs
// upwards.
func turned(m *image.Alpha) *image.Alpha {
	b := m.Bounds()
	out := image.NewAlpha(image.Rect(0, 0, b.Dy(), b.Dx()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			out.SetAlpha(y, b.Dx()-1-x, m.AlphaAt(x, y))
		}
	}
	return out
}

// drawMask paints the mask in one colour, with its top left corner at p.
func drawMask(dst draw.Image, mask *image.Alpha, p image.Point, c color.Color) {
	draw.DrawMask(dst, mask.Bounds().Add(p), image.NewUniform(c), image.Point{}, mask, image.Point{}, draw.Over)
}

// mostLetters is how many letters of a text a picture can have. Those of names may
// come from a file that is not trusted.
const mostLetters = 1000

// OneLine makes a text that can stand in a picture: without what would break a line
// or move the pen, and not longer than anybody reads.
func OneLine(s string) string {
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n++; n > mostLetters {
			b.WriteRune('…')
			break
		}
		if !unicode.IsGraphic(c) {
			c = ' '
		}
		b.WriteRune(c)
	}
	return b.String()
}
