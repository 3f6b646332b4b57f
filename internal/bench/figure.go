package bench

import (
	"bufio"
	"errors"
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"repvgg/internal/atomicfile"
)

// The colours of all pictures. The page of HTML has others for dark screens:
// see htmlColors.
var (
	ink         = color.RGBA{0x1f, 0x29, 0x33, 0xff}
	faint       = color.RGBA{0x61, 0x6e, 0x7c, 0xff}
	grid        = color.RGBA{0xe1, 0xe5, 0xea, 0xff}
	trainColor  = color.RGBA{0xd9, 0x6b, 0x0b, 0xff}
	deployColor = color.RGBA{0x0b, 0x62, 0xc4, 0xff}
	// others tell apart more than two things.
	others = []color.RGBA{deployColor, trainColor, {0x2a, 0x8a, 0x4a, 0xff}, {0x8e, 0x44, 0xad, 0xff}, {0xb8, 0x32, 0x4f, 0xff}, faint}
)

// figure is a picture; Draw fills the canvas.
type figure struct {
	Title         string
	width, height vg.Length
	plot          *plot.Plot
}

// figures are those that the rows give: per-layer bars where layers were
// measured, accuracy against speed where accuracies were published.
func (r *Report) figures() []figure {
	var all []figure
	for _, group := range r.settings() {
		if f, ok := accuracyFigure(group, r.Machine.CPU); ok {
			all = append(all, f)
		}
	}
	return append(all, r.layerFigures()...)
}

func (r *Report) layerFigures() []figure {
	var all []figure
	for i := range r.Rows {
		if len(r.Rows[i].Layers) > 0 {
			all = append(all, layerFigure(&r.Rows[i], r.Machine.CPU))
		}
	}
	return all
}

// CheckPlot reports a name that WritePlot would refuse.
func CheckPlot(path string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".svg", ".png":
		return nil
	}
	return fmt.Errorf("%q: want a name that ends in .svg or .png", path)
}

// WritePlot writes a picture (.svg, .png): time per layer of the rows that have
// layers, or else published accuracy against measured speed, one picture below
// the other where there are several.
func (r *Report) WritePlot(path string) error {
	figures := r.layerFigures()
	if len(figures) == 0 {
		figures = r.figures()
	}
	if len(figures) == 0 {
		return fmt.Errorf("writing picture %q: no row has a published accuracy and a speed, and none has layers; measure a published variant, or give --layers", path)
	}
	if err := CheckPlot(path); err != nil {
		return fmt.Errorf("writing picture %w", err)
	}
	return atomicfile.Write(path, func(w *bufio.Writer) error {
		if strings.EqualFold(filepath.Ext(path), ".svg") {
			return writeSVG(w, figures, color.White)
		}
		return writePNG(w, figures)
	})
}

const dotsPerInch = 144

func writePNG(w io.Writer, figures []figure) error {
	width, height := extent(figures)
	// A picture of many layers may be long, but not beyond what viewers take.
	const most = 30000
	if height.Dots(dotsPerInch) > most {
		return errors.New("the picture would be too high for PNG; write .svg")
	}
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dotsPerInch))
	drawAll(draw.New(canvas), figures, color.White)
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}

// writeSVG writes the figures on a background, which may be nil.
func writeSVG(w io.Writer, figures []figure, background color.Color) error {
	width, height := extent(figures)
	canvas := vgsvg.New(width, height)
	drawAll(draw.NewCanvas(canvas, width, height), figures, background)
	var b strings.Builder
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	// The font that text was measured with, then those of the same widths.
	text := strings.ReplaceAll(b.String(), "font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif")
	_, err := io.WriteString(w, text)
	return err
}

func extent(figures []figure) (width, height vg.Length) {
	for _, f := range figures {
		width, height = max(width, f.width), height+f.height
	}
	return width, height
}

// drawAll draws the figures below each other.
func drawAll(c draw.Canvas, figures []figure, background color.Color) {
	if background != nil {
		c.SetColor(background)
		c.Fill(c.Path())
	}
	top := c.Max.Y
	for _, f := range figures {
		area := draw.Crop(c, 0, f.width-(c.Max.X-c.Min.X), top-f.height-c.Min.Y, top-c.Max.Y)
		f.plot.Draw(draw.Crop(area, 14, -14, 10, -10))
		top -= f.height
	}
}

// titleLines says below a title where and how a row was measured.
func titleLines(title, machine string, r *Row) string {
	const fits = 90 // letters
	if below := machine + ", " + r.setting(); utf8.RuneCountInString(below) <= fits {
		return title + "\n" + below
	}
	return title + "\n" + shorten(machine, fits) + "\n" + r.setting()
}

// newPlot is a plot in our style.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = 8
	p.Title.TextStyle.Font, p.Title.TextStyle.Color = sans(12), ink
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Tick.Color = faint, faint
		a.Label.TextStyle.Font, a.Label.TextStyle.Color = sans(11), ink
		a.Tick.Label.Font, a.Tick.Label.Color = sans(10), ink
		a.Label.Padding = 5
	}
	p.Legend.TextStyle.Font, p.Legend.TextStyle.Color = sans(10.5), ink
	p.Legend.Padding = 5
	return p
}

func sans(size float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(size)}
}

// swatch is a patch of colour in a legend.
type swatch struct{ color color.Color }

// Thumbnail implements plot.Thumbnailer.
func (s swatch) Thumbnail(c *draw.Canvas) {
	c.SetColor(s.color)
	c.Fill(draw.Crop(*c, 4, -2, 1, -1).Path())
}
