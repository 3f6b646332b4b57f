package figure

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// labels places names beside points without overlap, as long as there is room.
type labels struct {
	style draw.TextStyle
	taken []vg.Rectangle
}

// avoid keeps later names out of an area.
func (l *labels) avoid(area vg.Rectangle) { l.taken = append(l.taken, area) }

// place draws a name at the first free position around the line between two points.
// It tries beside the ends, then above and below, farther and farther away. A
// distant name gets a line to its point.
func (l *labels) place(c draw.Canvas, name string, right, left vg.Point) {
	width, height := l.style.Width(name), l.style.FontExtents().Ascent*0.8
	const away = pointRadius + 4
	candidates := []vg.Point{ // lower left corners
		{X: right.X + away, Y: right.Y - height/2},
		{X: left.X - away - width, Y: left.Y - height/2},
	}
	for up := vg.Length(away); up <= 40; up += 2 {
		for _, x := range []vg.Length{right.X - width/2, right.X + away, right.X - away - width, left.X - width/2} {
			candidates = append(candidates, vg.Point{X: x, Y: right.Y + up}, vg.Point{X: x, Y: right.Y - up - height})
		}
	}
	best, fewest := candidates[0], len(l.taken)+1
	for _, at := range candidates {
		box := vg.Rectangle{Min: at, Max: vg.Point{X: at.X + width, Y: at.Y + height}}
		hits := 0
		for _, t := range l.taken {
			if overlap(box, t) {
				hits++
			}
		}
		if box.Max.X > c.Max.X || box.Min.X < c.Min.X || box.Max.Y > c.Max.Y || box.Min.Y < c.Min.Y {
			hits++
		}
		if hits < fewest {
			best, fewest = at, hits
		}
		if hits == 0 {
			break
		}
	}
	box := vg.Rectangle{Min: best, Max: vg.Point{X: best.X + width, Y: best.Y + height}}
	l.leader(c, box, right)
	c.FillText(l.style, best, name)
	l.avoid(vg.Rectangle{Min: vg.Point{X: box.Min.X - 2, Y: box.Min.Y - 1}, Max: vg.Point{X: box.Max.X + 2, Y: box.Max.Y + 1}})
}

// leader draws a thin line from a point to a distant name.
func (l *labels) leader(c draw.Canvas, box vg.Rectangle, at vg.Point) {
	const near = 14
	from := vg.Point{X: min(max(at.X, box.Min.X), box.Max.X), Y: box.Max.Y + 1}
	if box.Min.Y > at.Y {
		from.Y = box.Min.Y - 1
	}
	if gap := from.Y - at.Y; gap > near || gap < -near {
		c.StrokeLine2(draw.LineStyle{Color: faint, Width: 0.4}, at.X, at.Y, from.X, from.Y)
	}
}

func around(at vg.Point, rx, ry vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: at.X - rx, Y: at.Y - ry}, Max: vg.Point{X: at.X + rx, Y: at.Y + ry}}
}

func overlap(a, b vg.Rectangle) bool {
	return a.Min.X < b.Max.X && b.Min.X < a.Max.X && a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y
}
