package preprocess

import (
	"bytes"
	"fmt"
	"image"

	"golang.org/x/image/tiff"
)

// decodeTIFF decodes the TIFF images that OpenCV reads through libtiff's RGBA
// interface. There, unlike in the other formats, alpha is applied.
func decodeTIFF(data []byte) (*Image, error) {
	c, err := tiff.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if err := checkSize(c.Width, c.Height); err != nil {
		return nil, err
	}
	m, err := tiff.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *image.NRGBA:
		for p := m.Pix; len(p) >= 4; p = p[4:] {
			a := int(p[3])
			for c := range 3 {
				p[c] = byte((int(p[c])*a + 127) / 255)
			}
		}
		return fromStd(m)
	case *image.Gray, *image.RGBA, *image.Paletted:
		return fromStd(m)
	}
	return nil, fmt.Errorf("unsupported pixel format %T: save the image as PNG", m)
}
