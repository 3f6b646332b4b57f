package preprocess

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

// decodeJPEG decodes with Go's own decoder. Colours are converted with
// libjpeg's integer arithmetic, but the inverse DCT and the upsampling of
// chroma differ from the libjpeg-turbo that OpenCV uses, so that pixels can
// differ by a few levels. This function is the place for a binding to that library.
func decodeJPEG(data []byte) (*Image, error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if err := checkSize(c.Width, c.Height); err != nil {
		return nil, err
	}
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *image.YCbCr:
		return fromYCbCr(m)
	case *image.CMYK:
		return fromCMYK(m)
	case *image.Gray, *image.RGBA:
		return fromStd(m)
	}
	return nil, fmt.Errorf("unsupported pixel format %T", m)
}

// fromYCbCr converts with the 16-bit fixed-point factors of libjpeg's
// jdcolor.c (JFIF): 1.402, 0.344136286, 0.714136286 and 1.772.
func fromYCbCr(m *image.YCbCr) (*Image, error) {
	const (
		half    = 1 << 15
		crToR   = 91881
		cbToG   = 22554
		crToG   = 46802
		cbToB   = 116130
		centred = 128
	)
	b := m.Bounds()
	out, err := NewImage(b.Dx(), b.Dy())
	if err != nil {
		return nil, err
	}
	// half of the chroma resolution or full: a shift. A quarter or other
	// ratios go through COffset.
	shift, simple := 0, true
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio440:
	case image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420:
		shift = 1
	default:
		simple = false
	}
	for y := range out.Height {
		dst := out.row(y)
		luma := m.Y[m.YOffset(b.Min.X, b.Min.Y+y):][:out.Width]
		c0 := m.COffset(b.Min.X, b.Min.Y+y)
		for x, l := range luma {
			c := c0 + x>>shift
			if !simple {
				c = m.COffset(b.Min.X+x, b.Min.Y+y)
			}
			cb, cr := int32(m.Cb[c])-centred, int32(m.Cr[c])-centred
			d := dst[3*x : 3*x+3]
			d[0] = clamp8(int32(l) + (crToR*cr+half)>>16)
			d[1] = clamp8(int32(l) + (-cbToG*cb-crToG*cr+half)>>16)
			d[2] = clamp8(int32(l) + (cbToB*cb+half)>>16)
		}
	}
	return out, nil
}

// fromCMYK converts as OpenCV does, from the samples as libjpeg gives them.
// Go's decoder takes them for Adobe's inverted ones and stores 255 minus each.
func fromCMYK(m *image.CMYK) (*Image, error) {
	b := m.Bounds()
	out, err := NewImage(b.Dx(), b.Dy())
	if err != nil {
		return nil, err
	}
	for y := range out.Height {
		dst := out.row(y)
		src := m.Pix[y*m.Stride:][:4*out.Width]
		for i := 0; i+2 < len(dst); i += 3 {
			k := 255 - int32(src[3])
			for c := range 3 {
				dst[i+c] = byte(k - int32(src[c])*k>>8)
			}
			src = src[4:]
		}
	}
	return out, nil
}

// clamp8 saturates to 0..255.
func clamp8(v int32) byte {
	if uint32(v) > 255 {
		v = ^(v >> 31) & 255
	}
	return byte(v)
}
