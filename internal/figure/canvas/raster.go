package canvas

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// RasterScale is the number of dots per pixel, for high-resolution screens.
const RasterScale = 2

// Raster is a Canvas that draws to an image.
type Raster struct {
	image *image.RGBA
	err   error
}

// NewRaster returns a white Raster.
func NewRaster(width, height int) *Raster {
	m := image.NewRGBA(image.Rect(0, 0, width*RasterScale, height*RasterScale))
	draw.Draw(m, m.Bounds(), image.White, image.Point{}, draw.Src)
	return &Raster{image: m}
}

// Image returns the drawing, or the first error.
func (r *Raster) Image() (*image.RGBA, error) { return r.image, r.err }

func rasterRect(x, y, w, h float64) image.Rectangle {
	dot := func(v float64) int { return int(math.Round(v * RasterScale)) }
	return image.Rect(dot(x), dot(y), dot(x+w), dot(y+h))
}

// Rect implements Canvas.
func (r *Raster) Rect(x, y, w, h float64, c color.RGBA) {
	draw.Draw(r.image, rasterRect(x, y, w, h), image.NewUniform(c), image.Point{}, draw.Over)
}

// Pixels implements Canvas.
func (r *Raster) Pixels(x, y, w, h float64, m image.Image) {
	to, from := rasterRect(x, y, w, h), m.Bounds()
	for j := to.Min.Y; j < to.Max.Y; j++ {
		v := from.Min.Y + (j-to.Min.Y)*from.Dy()/to.Dy()
		for i := to.Min.X; i < to.Max.X; i++ {
			r.image.Set(i, j, m.At(from.Min.X+(i-to.Min.X)*from.Dx()/to.Dx(), v))
		}
	}
}

// Text implements Canvas.
func (r *Raster) Text(t Label) {
	face, err := NewFace(t.Size * RasterScale)
	if err != nil {
		r.err = err
		return
	}
	mask := face.mask(OneLine(t.Text))
	along, across := float64(t.Align), 0.5
	if t.Up {
		mask = turned(mask)
		along, across = across, 1-along
	}
	size := mask.Bounds().Size()
	at := image.Pt(int(math.Round(t.X*RasterScale-along*float64(size.X))), int(math.Round(t.Y*RasterScale-across*float64(size.Y))))
	drawMask(r.image, mask, at, t.Color)
}
