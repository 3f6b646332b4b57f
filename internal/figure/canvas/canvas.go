// Package canvas draws rectangles and text as dots or as SVG, and text on images.
package canvas

import (
	"image"
	"image/color"
)

// Canvas is what a picture is drawn on. Lengths are in pixels, y goes down.
type Canvas interface {
	Rect(x, y, w, h float64, c color.RGBA)
	// Pixels draws a small image as squares.
	Pixels(x, y, w, h float64, m image.Image)
	Text(t Label)
}

// Label is a text on one line.
type Label struct {
	// X, Y is the middle of the line's height. Align says which point of its width
	// it is.
	X, Y  float64
	Align Alignment
	Up    bool // runs from below to above; Align is then along Y
	Size  float64
	Color color.RGBA
	Text  string
}

// Alignment is the point of a text that stands at its place.
type Alignment float64

// What Label.Align can be.
const (
	Start  Alignment = 0
	Middle Alignment = 0.5
	End    Alignment = 1
)
