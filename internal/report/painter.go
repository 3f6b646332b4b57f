package report

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"path"
	"path/filepath"
	"strings"

	"repvgg/internal/atomicfile"
	"repvgg/internal/preprocess"
)

// Painter keeps painted copies of images in a folder. Its methods may be called
// by several goroutines at a time.
type Painter struct{ folder *atomicfile.Folder }

// NewPainter returns a Painter for a folder, and makes the folder if it is missing.
func NewPainter(dir string) (*Painter, error) {
	folder, err := atomicfile.OpenFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("opening folder of painted images: %w", err)
	}
	return &Painter{folder}, nil
}

// Close ends the use of the folder.
func (p *Painter) Close() error { return p.folder.Close() }

// paintQuality is the quality of painted JPEG files.
const paintQuality = 95

// Save paints a caption on a copy of the image and writes it under the image's
// name in the folder, whatever that name is: it can't leave the folder. A .jpg
// or .jpeg becomes a JPEG, a .png a PNG; any other name gets the suffix .png.
// Small images are enlarged so that the caption can be read. The file that the image
// was read from, at original, is never replaced.
func (p *Painter) Save(name, original string, m *preprocess.Image, lines []string, right bool) error {
	if err := p.save(name, original, m, lines, right); err != nil {
		return fmt.Errorf("painting image %q: %w", name, err)
	}
	return nil
}

func (p *Painter) save(name, original string, m *preprocess.Image, lines []string, right bool) error {
	file := PaintedName(name)
	painted := enlarged(m)
	if err := paint(painted, lines, right); err != nil {
		return err
	}
	var data bytes.Buffer
	encode := func() error { return png.Encode(&data, painted) }
	if isJPEG(file) {
		encode = func() error { return jpeg.Encode(&data, painted, &jpeg.Options{Quality: paintQuality}) }
	}
	if err := encode(); err != nil {
		return err
	}
	return p.folder.Write(filepath.FromSlash(file), data.Bytes(), original)
}

// PaintedName is where Save puts the image of a name, as a path below the folder:
// "/" and "." steps fall away, ".." becomes "__".
func PaintedName(name string) string {
	var steps []string
	for step := range strings.SplitSeq(filepath.ToSlash(name), "/") {
		switch step {
		case "", ".":
		case "..":
			steps = append(steps, "__")
		default:
			steps = append(steps, step)
		}
	}
	file := strings.Join(steps, "/")
	if isJPEG(file) || strings.EqualFold(path.Ext(file), ".png") {
		return file
	}
	return file + ".png"
}

func isJPEG(file string) bool {
	ext := path.Ext(file)
	return strings.EqualFold(ext, ".jpg") || strings.EqualFold(ext, ".jpeg")
}

// paintedSide is the least length of the longer side of a painted image.
const paintedSide = 320

// enlarged copies an image. If the image is small, each pixel becomes a square of
// pixels.
func enlarged(m *preprocess.Image) *image.RGBA {
	k := max(paintedSide/max(m.Width, m.Height), 1)
	out := image.NewRGBA(image.Rect(0, 0, m.Width*k, m.Height*k))
	channels := m.Channels()
	for y := range m.Height * k {
		row, src := out.Pix[y*out.Stride:], m.Pix[y/k*channels*m.Width:]
		for x := range m.Width * k {
			pixel := src[x/k*channels:][:channels]
			row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = pixel[0], pixel[min(1, channels-1)], pixel[channels-1], 0xff
		}
	}
	return out
}
