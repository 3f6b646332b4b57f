package figure

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const barPitch = 15 // distance between bars

// Bar is one bar of a chart.
type Bar struct {
	Name string
	// Group is the bar's group. Bars of a group have the same colour.
	Group  string
	Length float64
	// Text is written beside the bar.
	Text string
}

// Bars draws horizontal bars, the first one on top, with a legend of their groups.
// axis is the label of the axis of lengths.
func Bars(h Heading, axis string, bars []Bar) Figure {
	p := newPlot(h.lines(), axis, "")
	chart := barPlotter{bars: bars}
	for _, b := range bars {
		if !slices.Contains(chart.groups, b.Group) {
			chart.groups = append(chart.groups, b.Group)
		}
	}
	for i, name := range chart.groups {
		p.Legend.Add(name, swatch{chart.color(i)})
	}
	p.Legend.Top, p.Legend.Left = true, true
	var ticks []plot.Tick
	longest := 0.0
	for i, b := range bars {
		ticks = append(ticks, plot.Tick{Value: -float64(i), Label: shorten(b.Name, 28)})
		longest = max(longest, b.Length)
	}
	p.Y.Tick.Marker, p.Y.Tick.Length = plot.ConstantTicks(ticks), 0
	// Leave room for the texts beside the bars, and for the legend above them.
	p.X.Min, p.X.Max = 0, max(longest*1.35, 1e-6)
	p.Y.Min, p.Y.Max = -float64(len(bars))+0.3, 0.7
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Width = grid, 0
	p.Add(lines, chart)
	legend := vg.Length(barPitch * len(chart.groups))
	p.Y.Max += float64(legend / barPitch)
	return Figure{Title: h.Title, width: 640, height: 100 + legend + barPitch*vg.Length(len(bars)), plot: p}
}

type barPlotter struct {
	bars   []Bar
	groups []string
}

func (b barPlotter) color(group int) color.Color { return others[group%len(others)] }

// Plot implements plot.Plotter.
func (b barPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.TextStyle{Color: faint, Font: sans(9), YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
	for i, bar := range b.bars {
		at, half := y(-float64(i)), vg.Length(barPitch)*0.36
		from, to := x(0), x(bar.Length)
		c.FillPolygon(b.color(slices.Index(b.groups, bar.Group)), []vg.Point{
			{X: from, Y: at - half}, {X: to, Y: at - half}, {X: to, Y: at + half}, {X: from, Y: at + half}})
		c.FillText(style, vg.Point{X: to + 4, Y: at + 1}, bar.Text)
	}
}
