// Package canvas draws rectangles and text as pixels or as SVG, and text on images.
package canvas

import (
	"image"
	"image/color"
)

// Canvas is a surface to draw on. Lengths are in pixels, and y points down.
type Canvas interface {
	Rect(x, y, w, h float64, c color.RGBA)
	// Pixels draws a small image as squares.
	Pixels(x, y, w, h float64, m image.Image)
	Text(t Label)
}

// Label is one line of text.
type Label struct {
	// X, Y is the anchor: vertically the middle of the line, horizontally the point
	// that Align says.
	X, Y  float64
	Align Alignment
	Up    bool // the text runs upwards, and Align is along Y
	Size  float64
	Color color.RGBA
	Text  string
}

// Alignment is the point of a text that is placed at its anchor.
type Alignment float64

// The values of Label.Align.
const (
	Start  Alignment = 0
	Middle Alignment = 0.5
	End    Alignment = 1
)
