package preprocess

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"

	"golang.org/x/image/bmp"
)

// Decode reads an image file of any kind that we have (JPEG, PNG, BMP, PNM,
// TIFF), told apart by its first bytes and not by its name, and gives what
// cv2.imdecode(data, IMREAD_COLOR) of OpenCV 4.6 gives: grey is expanded to
// three channels, alpha is dropped without being applied (TIFF: applied), 16
// bits become 8, and the EXIF orientation is carried out.
func Decode(data []byte) (*Image, error) { return decode(data, nil) }

// decode is Decode into the memory of dst where that is large enough.
func decode(data, dst []byte) (*Image, error) {
	f, ok := sniff(data)
	if !ok {
		if len(data) == 0 {
			return nil, errors.New("the file is empty")
		}
		return nil, errors.New("unknown image format: want JPEG, PNG, BMP, PNM (pbm, pgm, ppm) or TIFF")
	}
	img, err := f.decode(data, dst)
	if err != nil {
		return nil, fmt.Errorf("decoding %s: %w", f.name, err)
	}
	return orient(img, f.orientation(data)), nil
}

// format is one kind of image file. decode may use the memory of dst.
type format struct {
	name        string
	magic       []string
	decode      func(data, dst []byte) (*Image, error)
	orientation func(data []byte) int
}

func sniff(data []byte) (format, bool) {
	for _, f := range []format{
		{"JPEG", []string{"\xff\xd8\xff"}, decodeJPEG, jpegOrientation},
		{"PNG", []string{"\x89PNG\r\n\x1a\n"}, anew(decodePNG), pngOrientation},
		{"BMP", []string{"BM"}, anew(decodeBMP), noOrientation},
		{"TIFF", []string{"II\x2a\x00", "MM\x00\x2a"}, anew(decodeTIFF), exifOrientation},
	} {
		for _, m := range f.magic {
			if bytes.HasPrefix(data, []byte(m)) {
				return f, true
			}
		}
	}
	if isPNM(data) {
		return format{"PNM", nil, anew(decodePNM), noOrientation}, true
	}
	return format{}, false
}

// anew is a decoder that allocates its results.
func anew(decode func(data []byte) (*Image, error)) func(data, dst []byte) (*Image, error) {
	return func(data, _ []byte) (*Image, error) { return decode(data) }
}

func noOrientation([]byte) int { return 1 }

func decodePNG(data []byte) (*Image, error) {
	return decodeWith(data, png.DecodeConfig, png.Decode)
}

func decodeBMP(data []byte) (*Image, error) {
	return decodeWith(data, bmp.DecodeConfig, bmp.Decode)
}
