package preprocess

import "fmt"

// MaxPixels is the largest image, in pixels, that is decoded or produced. A
// header may promise anything; nothing is allocated before it is checked.
const MaxPixels = 1 << 28

// Image is an 8-bit image: rows from top to bottom, no padding between them,
// three bytes (red, green, blue) a pixel, len(Pix) == 3*Width*Height. OpenCV
// and mmcv hold the same image in the order blue, green, red. Files are always
// decoded to colour; a data set of arrays may have grey images, of one byte a
// pixel, len(Pix) == Width*Height.
type Image struct {
	Width, Height int
	Grey          bool
	Pix           []byte
}

// NewImage allocates a black colour image. It refuses sizes that are not
// positive or are above MaxPixels.
func NewImage(width, height int) (*Image, error) {
	if err := checkSize(width, height); err != nil {
		return nil, err
	}
	return &Image{Width: width, Height: height, Pix: make([]byte, 3*width*height)}, nil
}

// Channels is 1 or 3.
func (m *Image) Channels() int {
	if m.Grey {
		return 1
	}
	return 3
}

// row is the bytes of row y.
func (m *Image) row(y int) []byte {
	n := m.Channels() * m.Width
	return m.Pix[n*y : n*(y+1)]
}

func checkSize(width, height int) error {
	if width < 1 || height < 1 {
		return fmt.Errorf("the image would be %d pixels wide and %d high", width, height)
	}
	if width > MaxPixels/height {
		return fmt.Errorf("an image of %d x %d pixels is over the limit of %d pixels", width, height, MaxPixels)
	}
	return nil
}
