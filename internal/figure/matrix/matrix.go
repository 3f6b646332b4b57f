// Package matrix draws confusion matrices.
package matrix

import (
	"bufio"
	"image"
	"image/png"
	"io"

	"repvgg/internal/figure/canvas"
)

// Matrix is how often images of one class were taken for another.
type Matrix struct {
	Classes []string
	// Support is how many images are of each class.
	Support []int64
	// Rows are the counts above zero of each true class, by rising predicted class.
	Rows [][]Cell
}

// Cell counts the images of one class that were taken for another.
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

// WriteSVG draws the matrix. Errors of writing are left to w.
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

// totals are the number of images, and how many were right.
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
