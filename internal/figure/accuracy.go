package figure

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Speed is a variant's accuracy, and its speed in both forms.
type Speed struct {
	Variant string
	// Top1 is in percent.
	Top1 float64
	// Train and Deploy are images per second; 0 means not measured.
	Train, Deploy float64
}

// Accuracy draws the published top-1 accuracy of variants against their measured
// speed, like the figure in the RepVGG paper. An arrow points from the train form
// to the deploy form. There must be at least one variant, and at least one speed
// for each.
func Accuracy(h Heading, variants []Speed) Figure {
	p := newPlot(h.lines(), "images per second, measured here (logarithmic)", "ImageNet top-1 in %, the publisher's figure")
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	slowest, fastest := math.Inf(1), 0.0
	p.Y.Min, p.Y.Max = math.Inf(1), math.Inf(-1)
	for _, s := range variants {
		slowest, fastest = min(slowest, lesser(s.Train, s.Deploy)), max(fastest, s.Train, s.Deploy)
		p.Y.Min, p.Y.Max = min(p.Y.Min, s.Top1-0.8), max(p.Y.Max, s.Top1+0.8)
	}
	p.X.Min, p.X.Max = slowest/1.25, fastest*1.35
	p.Y.Tick.Marker = steps{}
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = grid, grid
	p.Add(lines, accuracyPlotter(variants))
	// Accuracy falls with speed, so the lower left is free.
	p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs = true, 8, 6
	p.Legend.Add("train form", marker{train: true})
	p.Legend.Add("deploy form", marker{})
	return Figure{Title: h.Title, width: 640, height: 440, plot: p}
}

// accuracyPlotter draws the points, arrows and names.
type accuracyPlotter []Speed

const pointRadius = 4

// Plot implements plot.Plotter.
func (a accuracyPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.TextStyle{Color: ink, Font: sans(10), Handler: plot.DefaultTextHandler}
	names := labels{style: style}
	for _, s := range a {
		var ends []vg.Point
		for _, speed := range []float64{s.Train, s.Deploy} {
			if speed > 0 {
				at := vg.Point{X: x(speed), Y: y(s.Top1)}
				ends = append(ends, at)
				names.avoid(around(at, pointRadius, pointRadius))
			}
		}
		if len(ends) == 2 {
			arrow(c, ends[0], ends[1])
			names.avoid(vg.Rectangle{
				Min: vg.Point{X: min(ends[0].X, ends[1].X), Y: ends[0].Y - 1},
				Max: vg.Point{X: max(ends[0].X, ends[1].X), Y: ends[0].Y + 1},
			})
		}
	}
	for _, s := range a {
		if s.Train > 0 {
			marker{train: true}.draw(&c, vg.Point{X: x(s.Train), Y: y(s.Top1)})
		}
		if s.Deploy > 0 {
			marker{}.draw(&c, vg.Point{X: x(s.Deploy), Y: y(s.Top1)})
		}
	}
	for _, s := range a {
		// The name is placed at the right end.
		names.place(c, s.Variant, vg.Point{X: x(max(s.Train, s.Deploy)), Y: y(s.Top1)}, vg.Point{X: x(lesser(s.Train, s.Deploy)), Y: y(s.Top1)})
	}
}

// lesser returns the smaller known speed.
func lesser(a, b float64) float64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// arrow draws an arrow from one point to just before another.
func arrow(c draw.Canvas, from, to vg.Point) {
	length := vg.Length(math.Hypot(float64(to.X-from.X), float64(to.Y-from.Y)))
	const head = 5
	if length < 2*pointRadius+head {
		return
	}
	dx, dy := (to.X-from.X)/length, (to.Y-from.Y)/length
	tip := vg.Point{X: to.X - dx*(pointRadius+1), Y: to.Y - dy*(pointRadius+1)}
	base := vg.Point{X: tip.X - dx*head, Y: tip.Y - dy*head}
	start := vg.Point{X: from.X + dx*pointRadius, Y: from.Y + dy*pointRadius}
	c.StrokeLine2(draw.LineStyle{Color: faint, Width: 1}, start.X, start.Y, base.X, base.Y)
	c.FillPolygon(faint, []vg.Point{tip, {X: base.X - dy*2.5, Y: base.Y + dx*2.5}, {X: base.X + dy*2.5, Y: base.Y - dx*2.5}})
}

// marker is the symbol of a form: a ring for train, a disc for deploy.
type marker struct{ train bool }

func (m marker) draw(c *draw.Canvas, at vg.Point) {
	if !m.train {
		c.DrawGlyph(draw.GlyphStyle{Color: deployColor, Radius: pointRadius, Shape: draw.CircleGlyph{}}, at)
		return
	}
	const line = 1.5
	c.SetLineStyle(draw.LineStyle{Color: trainColor, Width: line})
	var ring vg.Path
	ring.Move(vg.Point{X: at.X + pointRadius - line/2, Y: at.Y})
	ring.Arc(at, pointRadius-line/2, 0, 2*math.Pi)
	ring.Close()
	c.Stroke(ring)
}

// Thumbnail implements plot.Thumbnailer.
func (m marker) Thumbnail(c *draw.Canvas) { m.draw(c, c.Center()) }

// decades puts ticks at 1, 2 and 5 times the powers of ten.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, e); v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 6, 64)})
			}
		}
	}
	return ticks
}

// steps puts ticks at whole numbers: at each one, or at every few.
type steps struct{}

// Ticks implements plot.Ticker.
func (steps) Ticks(low, high float64) []plot.Tick {
	step := max(1, math.Ceil((high-low)/12))
	var ticks []plot.Tick
	for v := math.Ceil(low/step) * step; v <= high; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.0f", v)})
	}
	return ticks
}
