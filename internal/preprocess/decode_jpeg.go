package preprocess

import "repvgg/internal/jpeg"

// decodeJPEG decodes as the libjpeg-turbo that OpenCV uses; see package jpeg.
func decodeJPEG(data, dst []byte) (*Image, error) {
	width, height, rgb, err := jpeg.Decoder{MaxPixels: MaxPixels}.Decode(data, dst)
	if err != nil {
		return nil, err
	}
	return &Image{Width: width, Height: height, Pix: rgb}, nil
}

// clamp8 saturates to 0..255.
func clamp8(v int32) byte {
	if uint32(v) > 255 {
		v = ^(v >> 31) & 255
	}
	return byte(v)
}
