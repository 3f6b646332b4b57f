package canvas

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// SVG is a Canvas that writes SVG 1.1. It ignores write errors, because the writer
// keeps the first one.
type SVG struct{ w *bufio.Writer }

// NewSVG starts a picture with a white background.
func NewSVG(w *bufio.Writer, width, height int) *SVG {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="Go, Helvetica, Arial, sans-serif">
<rect width="100%%" height="100%%" fill="#ffffff"/>
`, width, height)
	return &SVG{w}
}

// End ends the picture.
func (s *SVG) End() { s.w.WriteString("</svg>\n") }

// Rect implements Canvas.
func (s *SVG) Rect(x, y, w, h float64, c color.RGBA) {
	fmt.Fprintf(s.w, `<rect x="%.6g" y="%.6g" width="%.6g" height="%.6g" fill="%s"/>`+"\n", x, y, w, h, hexColor(c))
}

// Pixels implements Canvas.
func (s *SVG) Pixels(x, y, w, h float64, m image.Image) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return // can't fail: a buffer accepts everything, and the image is not empty
	}
	fmt.Fprintf(s.w, `<image x="%.6g" y="%.6g" width="%.6g" height="%.6g" preserveAspectRatio="none" style="image-rendering:pixelated" xlink:href="data:image/png;base64,%s"/>`+"\n",
		x, y, w, h, base64.StdEncoding.EncodeToString(b.Bytes()))
}

// baseline is the distance of a line's baseline below its middle, relative to the
// size of the font.
const baseline = 0.35

// Text implements Canvas.
func (s *SVG) Text(t Label) {
	anchor := map[Alignment]string{Start: "start", Middle: "middle", End: "end"}[t.Align]
	turn := ""
	if t.Up {
		turn = fmt.Sprintf(` transform="rotate(-90 %.6g %.6g)"`, t.X, t.Y)
	}
	fmt.Fprintf(s.w, `<text x="%.6g" y="%.6g" font-size="%.6g" text-anchor="%s" fill="%s"%s>`,
		t.X, t.Y+baseline*t.Size, t.Size, anchor, hexColor(t.Color), turn)
	if err := xml.EscapeText(s.w, []byte(OneLine(t.Text))); err != nil {
		return // the writer keeps the error
	}
	s.w.WriteString("</text>\n")
}

func hexColor(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
