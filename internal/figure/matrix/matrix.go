// Package matrix draws confusion matrices.
package matrix

import (
	"bufio"
	"image"
	"image/png"
	"io"

	"repvgg/internal/figure/canvas"
)

// Matrix has the number of images for each pair of a true and a predicted class.
type Matrix struct {
	Classes []string
	// Support is the number of images of each class.
	Support []int64
	// Rows has a row for each true class: the counts above zero, in ascending order of
	// the predicted class.
	Rows [][]Cell
}

// Cell is the number of images in a row with one predicted class.
type Cell struct {
	Predicted int
	Count     int64
}

// WritePNG draws the matrix.
func (m *Matrix) WritePNG(w io.Writer) error {
	drawn, err := m.raster()
	if err != nil {
		return err
	}
	return png.Encode(w, drawn)
}

func (m *Matrix) raster() (*image.RGBA, error) {
	p, err := newPicture(m)
	if err != nil {
		return nil, err
	}
	c := canvas.NewRaster(p.width, p.height)
	p.draw(c)
	return c.Image()
}

// WriteSVG draws the matrix. It ignores write errors, because w keeps the first
// one.
func (m *Matrix) WriteSVG(w *bufio.Writer) error {
	p, err := newPicture(m)
	if err != nil {
		return err
	}
	c := canvas.NewSVG(w, p.width, p.height)
	p.draw(c)
	c.End()
	return nil
}

// totals returns the number of images, and how many of them were right.
func (m *Matrix) totals() (images, right int64) {
	for truth, row := range m.Rows {
		images += m.Support[truth]
		for _, cell := range row {
			if cell.Predicted == truth {
				right += cell.Count
			}
		}
	}
	return images, right
}
