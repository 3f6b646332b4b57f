package report

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path"
	"path/filepath"
	"strings"

	"repvgg/internal/preprocess"
)

// Painter writes painted copies of images to a folder. It is safe for concurrent
// use.
type Painter struct{ root *os.Root }

// NewPainter returns a Painter for a folder, and makes the folder if it is missing.
func NewPainter(dir string) (*Painter, error) {
	err := os.MkdirAll(dir, 0o777)
	if err == nil {
		var root *os.Root
		if root, err = os.OpenRoot(dir); err == nil {
			return &Painter{root}, nil
		}
	}
	return nil, fmt.Errorf("opening folder of painted images: %w", err)
}

// Close closes the folder.
func (p *Painter) Close() error { return p.root.Close() }

// paintQuality is the quality of painted JPEG files.
const paintQuality = 95

// Save paints a caption on a copy of the image, and writes it to the folder under
// the image's name. No name can lead out of the folder. A .jpg or .jpeg becomes a
// JPEG file, and a .png a PNG file. Any other name gets the suffix .png. Small
// images are enlarged so that the caption is legible.
func (p *Painter) Save(name string, m *preprocess.Image, lines []string, right bool) error {
	if err := p.save(name, m, lines, right); err != nil {
		return fmt.Errorf("painting image %q: %w", name, err)
	}
	return nil
}

func (p *Painter) save(name string, m *preprocess.Image, lines []string, right bool) error {
	file := paintedName(name)
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
	if err := p.root.MkdirAll(filepath.FromSlash(path.Dir(file)), 0o777); err != nil {
		return err
	}
	// Without a temporary file and a sync: thousands of files would each wait for the
	// disk, and a truncated picture after a crash misleads nobody.
	return p.root.WriteFile(filepath.FromSlash(file), data.Bytes(), 0o666)
}

// paintedName turns an image's name into a path below the folder. Leading "/" and
// "." elements are dropped, and ".." becomes "__".
func paintedName(name string) string {
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
