package report

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// parsedFont is the Go font: Latin, Greek and Cyrillic letters. Others become
// boxes.
var parsedFont = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })

// newFace gives the font in a size in pixels. A face is for one goroutine.
func newFace(size float64) (font.Face, error) {
	f, err := parsedFont()
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
}

// textWidth is the width of a text in pixels.
func textWidth(face font.Face, s string) int { return font.MeasureString(face, s).Ceil() }

// oneLine replaces what would break a line or move the pen.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsGraphic(c) {
			return ' '
		}
		return c
	}, s)
}

// shorten cuts the end of a text off so that it is no wider than width pixels.
func shorten(face font.Face, s string, width int) string {
	if textWidth(face, s) <= width {
		return s
	}
	letters := []rune(s)
	for n := len(letters) - 1; n > 0; n-- {
		if cut := strings.TrimRight(string(letters[:n]), " ,") + "…"; textWidth(face, cut) <= width {
			return cut
		}
	}
	return ""
}

// textMask is the shape of a text on one line, as high as any letter is.
func textMask(face font.Face, s string) *image.Alpha {
	m := face.Metrics()
	mask := image.NewAlpha(image.Rect(0, 0, textWidth(face, s)+1, (m.Ascent + m.Descent).Ceil()))
	d := font.Drawer{Dst: mask, Src: image.Opaque, Face: face, Dot: fixed.Point26_6{Y: m.Ascent}}
	d.DrawString(s)
	return mask
}

// turned is a mask turned a quarter to the left: text that runs upwards.
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

// drawMask paints the mask in one colour with its top left corner at p.
func drawMask(dst draw.Image, mask *image.Alpha, p image.Point, c color.Color) {
	draw.DrawMask(dst, mask.Bounds().Add(p), image.NewUniform(c), image.Point{}, mask, image.Point{}, draw.Over)
}
