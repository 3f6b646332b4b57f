// Package preprocess turns the bytes of an image file into the normalised
// tensor that a network expects, bit for bit as MMClassification 0.25 does with
// mmcv, OpenCV 4.6 and Pillow 9.4. Steps describe what to do; New makes a Pipeline
// of them.
//
// The way of an image is Decode (file -> 8-bit RGB), Pipeline.Apply (the
// resizes and crops, 8-bit to 8-bit) and Pipeline.Tensor (normalise, HWC to
// CHW); Pipeline.Run does all three. A Worker does the same for one image after
// the other, in the same memory. Images that a data set holds as arrays skip
// the first.
//
// The inner loops of Pillow's resize exist in plain Go, which is always compiled,
// and for amd64 with AVX2 in assembly that _gen writes ("go generate", with its
// own module) unless the build tag noasm is set. Both give the same bits.
package preprocess
