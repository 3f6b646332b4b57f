package preprocess

import "fmt"

// MaxPixels is the largest image, in pixels, that is decoded or produced. A
// header may promise anything; nothing is allocated before it is checked.
const MaxPixels = 1 << 28

// Image is an 8-bit RGB image: rows from top to bottom, no padding between
// them, three bytes (red, green, blue) a pixel, len(Pix) == 3*Width*Height.
// OpenCV and mmcv hold the same image in the order blue, green, red.
type Image struct {
	Width, Height int
	Pix           []byte
}

// NewImage allocates a black image. It refuses sizes that are not positive or
// are above MaxPixels.
func NewImage(width, height int) (*Image, error) {
	if err := checkSize(width, height); err != nil {
		return nil, err
	}
	return &Image{Width: width, Height: height, Pix: make([]byte, 3*width*height)}, nil
}

// row is the 3*Width bytes of row y.
func (m *Image) row(y int) []byte {
	return m.Pix[3*m.Width*y : 3*m.Width*(y+1)]
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
