package report

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"repvgg/internal/figure/canvas"
	"repvgg/internal/metrics"
)

// Caption returns the text to paint on an image, in the original's words but with
// the true class added, and whether the prediction is right.
func (r *Result) Caption(image int) (lines []string, right bool) {
	row, truth := r.row(image), r.Labels[image]
	label := metrics.ArgMax(row)
	lines = []string{
		fmt.Sprintf("pred_score: %.2f", row[label]),
		fmt.Sprintf("pred_label: %d", label),
		"pred_class: " + r.Classes[label],
		fmt.Sprintf("gt_label: %d", truth),
	}
	if truth >= 0 && truth < len(r.Classes) {
		lines = append(lines, "gt_class: "+r.Classes[truth])
	}
	return lines, label == truth
}

// Colours of paint. Light text on a dark box is legible on any image.
var (
	boxColor   = color.RGBA{0, 0, 0, 0xc4}
	rightColor = color.RGBA{0x7d, 0xe0, 0x87, 0xff}
	wrongColor = color.RGBA{0xff, 0x8a, 0x80, 0xff}
)

// Sizes of paint's text. The size is a share of the image's shorter side. It is
// reduced if lines are too wide, but not below the smallest size.
const (
	paintShare    = 1.0 / 24
	paintSmallest = 12.0
	paintLeast    = 0.75
	lineHeight    = 1.25 // relative to the text size
	boxPadding    = 0.45
	barShare      = 0.3 // width of the coloured bar, relative to the text size
)

// paint writes lines on a translucent box in the upper left corner of the image. A
// bar beside them is green for a right prediction and red for a wrong one. A line
// that is too long for the image is cut off.
func paint(m draw.Image, lines []string, right bool) error {
	clean := make([]string, len(lines))
	for i, line := range lines {
		clean[i] = canvas.OneLine(line)
	}
	b := m.Bounds()
	size, err := paintSize(b.Size(), clean)
	if err != nil {
		return err
	}
	face, err := canvas.NewFace(size)
	if err != nil {
		return err
	}
	pad, bar, height := int(math.Ceil(size*boxPadding)), int(math.Ceil(size*barShare)), int(math.Ceil(size*lineHeight))
	widest := 0
	for i, line := range clean {
		clean[i] = face.Shorten(line, b.Dx()-bar-2*pad)
		widest = max(widest, face.Width(clean[i]))
	}
	ink := rightColor
	if !right {
		ink = wrongColor
	}
	box := image.Rect(0, 0, bar+2*pad+widest, 2*pad+height*len(lines)).Add(b.Min)
	draw.Draw(m, box, image.NewUniform(boxColor), image.Point{}, draw.Over)
	draw.Draw(m, image.Rect(0, 0, bar, box.Dy()).Add(b.Min), image.NewUniform(ink), image.Point{}, draw.Src)
	for i, line := range clean {
		face.Draw(m, b.Min.Add(image.Pt(bar+pad, pad+i*height)), ink, line)
	}
	return nil
}

// paintSize returns the text size for an image of a size.
func paintSize(image image.Point, lines []string) (float64, error) {
	size := max(float64(min(image.X, image.Y))*paintShare, paintSmallest)
	face, err := canvas.NewFace(size)
	if err != nil {
		return 0, err
	}
	widest := widestLine(face, lines)
	room := float64(image.X)/(widest+size*(2*boxPadding+barShare)) - 0.01
	room = min(room, float64(image.Y)/(size*(2*boxPadding+lineHeight*float64(len(lines)))))
	return max(size*min(max(room, paintLeast), 1), paintSmallest), nil
}

func widestLine(face *canvas.Face, lines []string) float64 {
	widest := 0
	for _, line := range lines {
		widest = max(widest, face.Width(line))
	}
	return float64(widest)
}
