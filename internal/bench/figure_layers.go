package bench

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const layerPitch = 15 // from one bar to the next

// layerFigure draws the time of each layer as a bar, from the first layer down,
// in the colour of its algorithm.
func layerFigure(r *Row, machine string) figure {
	title := "Time per layer: " + r.Variant + ", " + r.Form + " form"
	p := newPlot(titleLines(title, machine, r), "milliseconds per run", "")
	bars := layerPlotter{layers: r.Layers}
	for _, l := range r.Layers {
		if !slices.Contains(bars.algorithms, l.Algorithm) {
			bars.algorithms = append(bars.algorithms, l.Algorithm)
		}
	}
	for i, name := range bars.algorithms {
		if name == "" {
			name = "not told"
		}
		p.Legend.Add(name, swatch{bars.color(i)})
	}
	p.Legend.Top, p.Legend.Left = true, true
	var ticks []plot.Tick
	longest := 0.0
	for i, l := range r.Layers {
		ticks = append(ticks, plot.Tick{Value: -float64(i), Label: shorten(shortLayer(l.Name), 28)})
		longest = max(longest, l.TimeMS)
	}
	p.Y.Tick.Marker, p.Y.Tick.Length = plot.ConstantTicks(ticks), 0
	// Room for the figures beside the bars, and for the legend above them.
	p.X.Min, p.X.Max = 0, max(longest*1.35, 1e-6)
	p.Y.Min, p.Y.Max = -float64(len(r.Layers))+0.3, 0.7
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Width = grid, 0
	p.Add(lines, bars)
	legend := vg.Length(layerPitch * len(bars.algorithms))
	p.Y.Max += float64(legend / layerPitch)
	return figure{Title: title, width: 640, height: 100 + legend + layerPitch*vg.Length(len(r.Layers)), plot: p}
}

type layerPlotter struct {
	layers     []Layer
	algorithms []string
}

func (l layerPlotter) color(algorithm int) color.Color { return others[algorithm%len(others)] }

// Plot implements plot.Plotter.
func (l layerPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.TextStyle{Color: faint, Font: sans(9), YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
	for i, layer := range l.layers {
		at, half := y(-float64(i)), vg.Length(layerPitch)*0.36
		from, to := x(0), x(layer.TimeMS)
		c.FillPolygon(l.color(slices.Index(l.algorithms, layer.Algorithm)), []vg.Point{
			{X: from, Y: at - half}, {X: to, Y: at - half}, {X: to, Y: at + half}, {X: from, Y: at + half}})
		text := number(layer.TimeMS) + " ms"
		if g := layer.GFLOPSPerSecond; g != nil {
			text += fmt.Sprintf(", %.0f GFLOP/s", *g)
		}
		c.FillText(style, vg.Point{X: to + 4, Y: at + 1}, text)
	}
}
