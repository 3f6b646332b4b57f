// Package jpeg decodes JPEG files to RGB, bit for bit as OpenCV 4.6 does with
// libjpeg-turbo 2.1: accurate inverse DCT, triangle ("fancy") upsampling of
// chroma, and OpenCV's own way with CMYK and with files that end early. The
// EXIF orientation is left to the caller.
//
// It owns two decoders. The binding to libjpeg-turbo, which is looked up at run
// time, gives OpenCV's result for every file, damaged ones included. It binds
// libjpeg rather than TurboJPEG, since only there the caller decides what happens
// where a file ends early. The one in Go, for where the library is missing, has
// the same arithmetic and gives the same samples for intact files.
package jpeg

import (
	"errors"
	"fmt"
	"sync"
)

// libraryVariable is the environment variable that names the library's file.
const libraryVariable = "REPVGG_TURBOJPEG"

// defaultMaxPixels is the limit of a zero Decoder.
const defaultMaxPixels = 1 << 28

// Decoder says how to decode. Its zero value is ready for use, and a Decoder may
// be used by several goroutines at once.
type Decoder struct {
	// MaxPixels is the largest image that is decoded; a file may promise
	// anything, and nothing is allocated before this is checked. 0 stands for
	// 1<<28.
	MaxPixels int
	// Portable decodes in Go, even where libjpeg-turbo is at hand. That takes
	// three to five times as long, and most damaged files are errors.
	Portable bool
}

// Decode decodes a whole JPEG file. The result is 8-bit RGB: rows from top to
// bottom without padding, three bytes (red, green, blue) a pixel, 3*width*height
// in all. It uses the memory of dst where that is large enough; dst may be nil.
//
// As in OpenCV, of a sequential file that ends early the last row that could be
// decoded is repeated down to the bottom, damaged data are decoded as far as
// libjpeg gets over them, and a progressive file must be complete. A file
// without a single decodable row is an error, where OpenCV gives uninitialized
// memory, and so is one of more than 500 scans.
//
// The decoder in Go refuses damaged data, arithmetic coding, missing Huffman
// tables and fractional subsampling; a progressive file that lacks scans is not
// smoothed; and of a file that ends within the last few bytes of a row of blocks
// it may decode that row where libjpeg does not, or the reverse.
func (d Decoder) Decode(data, dst []byte) (width, height int, rgb []byte, err error) {
	if len(data) == 0 {
		return 0, 0, nil, errors.New("the file is empty")
	}
	limit := d.MaxPixels
	if limit == 0 {
		limit = defaultMaxPixels
	}
	if lib, err := loadLibrary(); err == nil && !d.Portable {
		return lib.decode(data, dst, limit)
	}
	return decodePortable(data, dst, limit)
}

// Library tells which file libjpeg-turbo was loaded from. If ok is false, name
// is the reason why there is none, and what to do about it.
func Library() (name string, ok bool) {
	lib, err := loadLibrary()
	if err != nil {
		return fmt.Sprintf("%v (%s)", err, advice), false
	}
	return lib.path, true
}

// loadLibrary opens the library at the first call. It is never closed.
var loadLibrary = sync.OnceValues(openLibrary)

func checkSize(width, height, limit int) error {
	if width < 1 || height < 1 {
		return fmt.Errorf("the image would be %d pixels wide and %d high", width, height)
	}
	if width > limit/height {
		return fmt.Errorf("an image of %d x %d pixels is over the limit of %d pixels", width, height, limit)
	}
	return nil
}

// grow gives n bytes, those of dst if it has as many.
func grow(dst []byte, n int) []byte {
	if cap(dst) < n {
		return make([]byte, n)
	}
	return dst[:n]
}
