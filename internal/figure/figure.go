package figure

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The colours of all charts. In an HTML page, CSS variables replace those in
// cssColors.
var (
	ink         = color.RGBA{0x1f, 0x29, 0x33, 0xff}
	faint       = color.RGBA{0x61, 0x6e, 0x7c, 0xff}
	grid        = color.RGBA{0xe1, 0xe5, 0xea, 0xff}
	trainColor  = color.RGBA{0xd9, 0x6b, 0x0b, 0xff}
	deployColor = color.RGBA{0x0b, 0x62, 0xc4, 0xff}
	// others are for charts with more than two groups.
	others = []color.RGBA{deployColor, trainColor, {0x2a, 0x8a, 0x4a, 0xff}, {0x8e, 0x44, 0xad, 0xff}, {0xb8, 0x32, 0x4f, 0xff}, faint}
)

// cssColors are the CSS variables with which a page adapts the colours to a light
// or dark scheme.
var cssColors = []struct {
	color    color.RGBA
	variable string
}{
	{ink, "ink"}, {faint, "faint"}, {grid, "line"}, {trainColor, "train"}, {deployColor, "deploy"},
}

// Figure is a chart. It is drawn when it is written.
type Figure struct {
	Title         string
	width, height vg.Length
	plot          *plot.Plot
}

// Heading is the text above a chart: its title, then where and how its values were
// measured.
type Heading struct {
	Title, Machine, Setting string
}

// lines returns the heading's lines. The machine and the setting share a line if
// they fit.
func (h Heading) lines() string {
	const fits = 90 // letters
	if below := h.Machine + ", " + h.Setting; utf8.RuneCountInString(below) <= fits {
		return h.Title + "\n" + below
	}
	return h.Title + "\n" + shorten(h.Machine, fits) + "\n" + h.Setting
}

// shorten cuts a long text.
func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

const dotsPerInch = 144

// WritePNG draws figures below each other.
func WritePNG(w io.Writer, figures []Figure) error {
	width, height := extent(figures)
	// A picture with many bars may be long, but not longer than viewers support.
	const most = 30000
	if height.Dots(dotsPerInch) > most {
		return errors.New("the picture would be too high for PNG; write .svg")
	}
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dotsPerInch))
	drawAll(draw.New(canvas), figures, color.White)
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}

// WriteSVG draws figures below each other.
func WriteSVG(w io.Writer, figures []Figure) error {
	text, err := svg(figures, color.White)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// Inline returns the figure as an SVG element for an HTML page. It has no XML
// prologue and no background. Its colours are the CSS variables --ink, --faint,
// --line, --train and --deploy. All text in it is escaped.
func (f Figure) Inline() (string, error) {
	text, err := svg([]Figure{f}, nil)
	if err != nil {
		return "", err
	}
	text = text[strings.Index(text, "<svg"):]
	for _, c := range cssColors {
		hex := fmt.Sprintf("#%02X%02X%02X", c.color.R, c.color.G, c.color.B)
		text = strings.ReplaceAll(text, hex, "var(--"+c.variable+")")
	}
	return text, nil
}

// svg draws the figures as SVG. The background may be nil.
func svg(figures []Figure, background color.Color) (string, error) {
	width, height := extent(figures)
	canvas := vgsvg.New(width, height)
	drawAll(draw.NewCanvas(canvas, width, height), figures, background)
	var b strings.Builder
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	// The text was measured with the first font. The others have the same widths.
	return strings.ReplaceAll(b.String(), "font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif"), nil
}

func extent(figures []Figure) (width, height vg.Length) {
	for _, f := range figures {
		width, height = max(width, f.width), height+f.height
	}
	return width, height
}

// drawAll draws the figures below each other.
func drawAll(c draw.Canvas, figures []Figure, background color.Color) {
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

// newPlot returns a plot in our style.
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

// swatch is a coloured square in a legend.
type swatch struct{ color color.Color }

// Thumbnail implements plot.Thumbnailer.
func (s swatch) Thumbnail(c *draw.Canvas) {
	c.SetColor(s.color)
	c.Fill(draw.Crop(*c, 4, -2, 1, -1).Path())
}
