package preprocess

import (
	"bytes"
	"encoding/binary"
)

// jpegOrientation is the EXIF orientation of a JPEG file. Like OpenCV it looks
// at the first APP1 segment only, and takes the TIFF header to start six bytes
// into it without looking for the word Exif.
func jpegOrientation(data []byte) int {
	const (
		app1 = 0xe1
		sos  = 0xda
		eoi  = 0xd9
	)
	for pos := 2; pos+4 <= len(data); {
		if data[pos] != 0xff {
			pos++ // libjpeg skips garbage up to the next marker
			continue
		}
		marker := data[pos+1]
		if marker == 0 || marker == 0xff || marker == 0x01 || marker >= 0xd0 && marker <= 0xd8 {
			pos++ // stuffing, fill bytes, and markers that have no length
			continue
		}
		if marker == sos || marker == eoi {
			break
		}
		n := int(binary.BigEndian.Uint16(data[pos+2:]))
		end := pos + 2 + n
		if n < 2 || end > len(data) {
			break
		}
		if marker == app1 {
			if n-2 <= 6 {
				break
			}
			return exifOrientation(data[pos+4+6 : end])
		}
		pos = end
	}
	return 1
}

// pngOrientation is the orientation in the eXIf chunk of a PNG file.
func pngOrientation(data []byte) int {
	for pos := 8; pos+8 <= len(data); {
		n := int(binary.BigEndian.Uint32(data[pos:]))
		kind := data[pos+4 : pos+8]
		end := pos + 12 + n // length, kind, the data, and a checksum
		if n < 0 || end > len(data) || bytes.Equal(kind, []byte("IEND")) {
			break
		}
		if bytes.Equal(kind, []byte("eXIf")) {
			return exifOrientation(data[pos+8 : end-4])
		}
		pos = end
	}
	return 1
}

// exifOrientation reads the orientation (1 to 8) of a TIFF header with its
// first directory; anything else is 1. As in OpenCV the entry's type is not
// looked at, the first entry of the tag counts, and an earlier entry whose
// value lies outside of the data ends the search.
func exifOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:2]) {
	case "II":
		order = binary.LittleEndian
	case "MM":
		order = binary.BigEndian
	default:
		return 1
	}
	if order.Uint16(tiff[2:]) != 42 {
		return 1
	}
	size := int64(len(tiff))
	start := int64(order.Uint32(tiff[4:]))
	if start+2 > size {
		return 1
	}
	entries := int64(order.Uint16(tiff[start:]))
	for pos := start + 2; entries > 0 && pos+12 <= size; pos, entries = pos+12, entries-1 {
		e := tiff[pos : pos+12]
		tag := order.Uint16(e)
		if tag == tagOrientation {
			if o := int(order.Uint16(e[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
		count, offset := int64(order.Uint32(e[4:])), int64(order.Uint32(e[8:]))
		if isText(tag) && count > 4 && offset+count > size {
			return 1
		}
		if n := rationals(tag); n > 0 && offset+8*n > size {
			return 1
		}
	}
	return 1
}

const tagOrientation = 274

// isText tells the tags that OpenCV reads as text: description, make, model,
// software, date and copyright.
func isText(tag uint16) bool {
	switch tag {
	case 270, 271, 272, 305, 306, 33432:
		return true
	}
	return false
}

// rationals is how many fractions OpenCV reads for a tag: the resolutions, white
// point, chromaticities, YCbCr factors and the reference black and white.
func rationals(tag uint16) int64 {
	switch tag {
	case 282, 283:
		return 1
	case 318:
		return 2
	case 529:
		return 3
	case 319, 532:
		return 6
	}
	return 0
}

// orient carries out an EXIF orientation: 2, 3 and 4 mirror the columns, both
// or the rows; 5 to 8 exchange rows and columns first and then do the same.
func orient(m *Image, orientation int) *Image {
	if orientation < 2 || orientation > 8 {
		return m
	}
	if orientation >= 5 {
		m = transpose(m)
	}
	switch orientation {
	case 2, 6:
		flipColumns(m)
	case 3, 7:
		flipColumns(m)
		flipRows(m)
	case 4, 8:
		flipRows(m)
	}
	return m
}

func transpose(m *Image) *Image {
	out := &Image{Width: m.Height, Height: m.Width, Pix: make([]byte, len(m.Pix))}
	for y := range m.Height {
		src := m.row(y)
		for x := range m.Width {
			copy(out.Pix[3*(x*out.Width+y):][:3], src[3*x:3*x+3])
		}
	}
	return out
}

func flipColumns(m *Image) {
	for y := range m.Height {
		row := m.row(y)
		for i, j := 0, len(row)-3; i < j; i, j = i+3, j-3 {
			a, b := row[i:i+3:i+3], row[j:j+3:j+3]
			a[0], a[1], a[2], b[0], b[1], b[2] = b[0], b[1], b[2], a[0], a[1], a[2]
		}
	}
}

func flipRows(m *Image) {
	for i, j := 0, m.Height-1; i < j; i, j = i+1, j-1 {
		a, b := m.row(i), m.row(j)
		for x := range a {
			a[x], b[x] = b[x], a[x]
		}
	}
}
