package jpeg

import (
	"errors"
	"fmt"
)

// decodePortable decodes sequential and progressive Huffman-coded files. Decode
// tells where it differs from libjpeg.
func decodePortable(data, dst []byte, maxPixels int) (width, height int, rgb []byte, err error) {
	f := &frame{in: bitReader{data: data}}
	if err := f.read(maxPixels); err != nil {
		return 0, 0, nil, err
	}
	rgb = grow(dst, 3*f.width*f.height)
	f.render(rgb)
	return f.width, f.height, rgb, nil
}

// read decodes the blocks of a file.
func (f *frame) read(maxPixels int) error {
	if d := f.in.data; len(d) < 2 || d[0] != 0xff || d[1] != markerSOI {
		return errors.New("not a JPEG file")
	}
	for scans := 0; ; {
		marker, segment, err := f.next()
		switch {
		case err != nil:
			return err
		case marker == markerEOI && scans == 0:
			return errors.New("the file has no scan")
		case marker == markerEOI:
			f.rows = f.height
			return nil
		case marker != markerSOS:
			err = f.readFrame(marker, segment, maxPixels)
		case f.components == nil:
			err = errors.New("a scan comes before the start of frame")
		case scans == maxScans:
			err = fmt.Errorf("more than %d scans", maxScans)
		case !f.progressive && len(segment) == 4+2*len(f.components):
			return f.readOnly(segment)
		default:
			scans++
			err = f.readScan(segment)
		}
		if err != nil {
			return err
		}
	}
}

// readOnly reads the only scan of a sequential file, which is the one kind of
// file that may end early. What follows is not looked at.
func (f *frame) readOnly(header []byte) error {
	err := f.readScan(header)
	if err == nil {
		if _, err = f.in.marker(); err == nil {
			f.rows = f.height
		}
	}
	if errors.Is(err, errEnd) && f.rows > 0 {
		return nil
	}
	return err
}

// complete is the number of rows of the image that libjpeg can make of some rows
// of interleaved MCUs: upsampling may need the samples below.
func (f *frame) complete(mcuRows int) int {
	rows := 8 * f.maxV * mcuRows
	if rows >= f.height {
		return f.height
	}
	for i := range f.components {
		if u := f.upsampler(&f.components[i]); rows > 0 && u.mixesRows() {
			return rows - f.maxV
		}
	}
	return rows
}

func (f *frame) upsampler(c *component) upsampler {
	dx, dy := f.maxH/c.h, f.maxV/c.v
	return upsampler{
		plane: c.samples, stride: 8 * c.stride, dx: dx, dy: dy,
		width: ceilDiv(f.width, dx), height: ceilDiv(f.height, dy),
	}
}

// render makes the image of the decoded blocks. The last row of a file that ends
// early is repeated.
func (f *frame) render(rgb []byte) {
	planes := make([]upsampler, len(f.components))
	for i := range f.components {
		f.finish(&f.components[i])
		planes[i] = f.upsampler(&f.components[i])
	}
	convert := f.converter()
	rows := make([][]byte, len(planes))
	stride := 3 * f.width
	for y := range f.height {
		row := rgb[stride*y : stride*(y+1)]
		if y >= f.rows {
			copy(row, rgb[stride*(y-1):])
			continue
		}
		for i := range planes {
			rows[i] = planes[i].row(y)
		}
		convert(row, rows)
	}
}

// finish makes the samples of a component that has only coefficients so far, or
// that no scan held.
func (f *frame) finish(c *component) {
	if c.quant == nil {
		c.samples = make([]byte, 64*f.blocks(c))
		for i := range c.samples {
			c.samples[i] = 128
		}
	}
	for i := range c.coefs {
		c.idct(&c.coefs[i], i%c.stride, i/c.stride)
	}
}

// converter chooses the colour conversion by the rules of libjpeg.
func (f *frame) converter() func(rgb []byte, rows [][]byte) {
	adobeRGB := f.adobe && f.transform == 0
	switch len(f.components) {
	case 1:
		return func(rgb []byte, rows [][]byte) { grayRow(rgb, rows[0]) }
	case 3:
		ids := [3]byte{f.components[0].id, f.components[1].id, f.components[2].id}
		if !f.jfif && (adobeRGB || !f.adobe && ids == [3]byte{'R', 'G', 'B'}) {
			return func(rgb []byte, rows [][]byte) { rgbRow(rgb, rows[0], rows[1], rows[2]) }
		}
		return func(rgb []byte, rows [][]byte) { convertRow(rgb, rows[0], rows[1], rows[2]) }
	}
	if !f.adobe || adobeRGB {
		return func(rgb []byte, rows [][]byte) {
			rgbRow(rgb, rows[0], rows[1], rows[2])
			blackRow(rgb, rows[3])
		}
	}
	return func(rgb []byte, rows [][]byte) {
		convertRow(rgb, rows[0], rows[1], rows[2])
		invertRow(rgb)
		blackRow(rgb, rows[3])
	}
}
