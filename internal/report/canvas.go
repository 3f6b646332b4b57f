package report

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
)

// canvas is what a picture is drawn on. Lengths are in pixels, y goes down.
type canvas interface {
	rect(x, y, w, h float64, c color.RGBA)
	// pixels draws a small image as squares.
	pixels(x, y, w, h float64, m image.Image)
	text(t label)
}

// label is a text on one line.
type label struct {
	// x, y is the middle of the line's height; whether of its width, align tells.
	x, y  float64
	align alignment
	up    bool // runs from below to above; align is then along y
	size  float64
	color color.RGBA
	s     string
}

type alignment float64

// The point of a text that stands at its place.
const (
	start  alignment = 0
	middle alignment = 0.5
	end    alignment = 1
)

// rasterScale is the number of dots of a raster for each pixel of a picture, for
// screens that have as many.
const rasterScale = 2

// raster draws dots. err is the first failure.
type raster struct {
	image *image.RGBA
	err   error
}

func newRaster(width, height int) *raster {
	m := image.NewRGBA(image.Rect(0, 0, width*rasterScale, height*rasterScale))
	draw.Draw(m, m.Bounds(), image.White, image.Point{}, draw.Src)
	return &raster{image: m}
}

func rasterRect(x, y, w, h float64) image.Rectangle {
	dot := func(v float64) int { return int(math.Round(v * rasterScale)) }
	return image.Rect(dot(x), dot(y), dot(x+w), dot(y+h))
}

func (r *raster) rect(x, y, w, h float64, c color.RGBA) {
	draw.Draw(r.image, rasterRect(x, y, w, h), image.NewUniform(c), image.Point{}, draw.Over)
}

func (r *raster) pixels(x, y, w, h float64, m image.Image) {
	to, from := rasterRect(x, y, w, h), m.Bounds()
	for j := to.Min.Y; j < to.Max.Y; j++ {
		v := from.Min.Y + (j-to.Min.Y)*from.Dy()/to.Dy()
		for i := to.Min.X; i < to.Max.X; i++ {
			r.image.Set(i, j, m.At(from.Min.X+(i-to.Min.X)*from.Dx()/to.Dx(), v))
		}
	}
}

func (r *raster) text(t label) {
	face, err := newFace(t.size * rasterScale)
	if err != nil {
		r.err = err
		return
	}
	mask := textMask(face, oneLine(t.s))
	along, across := float64(t.align), 0.5
	if t.up {
		mask = turned(mask)
		along, across = across, 1-along
	}
	size := mask.Bounds().Size()
	at := image.Pt(int(math.Round(t.x*rasterScale-along*float64(size.X))), int(math.Round(t.y*rasterScale-across*float64(size.Y))))
	drawMask(r.image, mask, at, t.color)
}

// svg writes SVG 1.1. Errors are left to the writer, which keeps the first.
type svg struct{ w *bufio.Writer }

func newSVG(w *bufio.Writer, width, height int) *svg {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="Go, Helvetica, Arial, sans-serif">
<rect width="100%%" height="100%%" fill="#ffffff"/>
`, width, height)
	return &svg{w}
}

func (s *svg) end() { s.w.WriteString("</svg>\n") }

func (s *svg) rect(x, y, w, h float64, c color.RGBA) {
	fmt.Fprintf(s.w, `<rect x="%.6g" y="%.6g" width="%.6g" height="%.6g" fill="%s"/>`+"\n", x, y, w, h, hexColor(c))
}

func (s *svg) pixels(x, y, w, h float64, m image.Image) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return // a buffer takes everything, and the image has a size
	}
	fmt.Fprintf(s.w, `<image x="%.6g" y="%.6g" width="%.6g" height="%.6g" preserveAspectRatio="none" style="image-rendering:pixelated" xlink:href="data:image/png;base64,%s"/>`+"\n",
		x, y, w, h, base64.StdEncoding.EncodeToString(b.Bytes()))
}

// baseline is how far, in the size of the font, a line's base is below its
// middle.
const baseline = 0.35

func (s *svg) text(t label) {
	anchor := map[alignment]string{start: "start", middle: "middle", end: "end"}[t.align]
	turn := ""
	if t.up {
		turn = fmt.Sprintf(` transform="rotate(-90 %.6g %.6g)"`, t.x, t.y)
	}
	fmt.Fprintf(s.w, `<text x="%.6g" y="%.6g" font-size="%.6g" text-anchor="%s" fill="%s"%s>`,
		t.x, t.y+baseline*t.size, t.size, anchor, hexColor(t.color), turn)
	if err := xml.EscapeText(s.w, []byte(oneLine(t.s))); err != nil {
		return // the writer's, which keeps it
	}
	s.w.WriteString("</text>\n")
}

func hexColor(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
