package matrix

import (
	"image"
	"image/color"
	"math"
	"strconv"

	"repvgg/internal/figure/canvas"
)

// ramp has the colours of cells that are not empty, from the lightest to the
// darkest.
var ramp = []color.RGBA{{0xf3, 0xf7, 0xfc, 0xff}, {0xcb, 0xdf, 0xf1, 0xff}, {0x86, 0xb9, 0xdd, 0xff}, {0x3f, 0x8c, 0xc4, 0xff}, {0x14, 0x5a, 0x9c, 0xff}, {0x08, 0x2c, 0x63, 0xff}}

// lightest is the position of the smallest share on the ramp. The smaller the
// cells, the farther it is from white, so that a single image can be seen.
func (p *picture) lightest() float64 {
	switch {
	case p.countSize > 0:
		return 0
	case p.names != nil:
		return 0.2
	}
	return 0.45
}

// shade returns the colour of a share from 0 to 1. 0 is white.
func (p *picture) shade(share float64) color.RGBA {
	if share <= 0 {
		return white
	}
	from := p.lightest()
	at := (from + (1-from)*p.position(share)) * float64(len(ramp)-1)
	i := min(int(at), len(ramp)-2)
	a, b, t := ramp[i], ramp[i+1], at-float64(i)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a)*(1-t) + float64(b)*t)) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

// position returns the position of a share on the colour bar, from 0 to 1. If the
// cells have no counts, a square root makes small shares visible.
func (p *picture) position(share float64) float64 {
	if p.countSize > 0 {
		return share
	}
	return math.Sqrt(share)
}

// share is the inverse of position.
func (p *picture) share(position float64) float64 {
	if p.countSize > 0 {
		return position
	}
	return position * position
}

// inkOn returns a text colour that is legible on a background.
func inkOn(c color.RGBA) color.RGBA {
	if luma := 0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B); luma < 140 {
		return white
	}
	return ink
}

// drawBar draws the colour bar with its scale.
func (p *picture) drawBar(c canvas.Canvas) {
	const levels = 256
	strip := image.NewRGBA(image.Rect(0, 0, 1, levels))
	for i := range levels {
		strip.SetRGBA(0, levels-1-i, p.shade(p.share((float64(i)+0.5)/levels)))
	}
	x, height := p.left+p.side()+gap, p.side()
	c.Pixels(x, p.top, barWidth, height, strip)
	outline(c, x, p.top, barWidth, height)
	percents := []int{0, 20, 40, 60, 80, 100}
	if p.countSize == 0 {
		percents = []int{0, 1, 5, 10, 20, 40, 60, 80, 100}
	}
	for _, percent := range percents {
		y := p.top + height*(1-p.position(float64(percent)/100))
		c.Rect(x+barWidth+1, y-0.5, 4, 1, frame)
		c.Text(canvas.Label{X: x + barWidth + 8, Y: y, Size: textSize, Color: ink, Text: strconv.Itoa(percent)})
	}
	c.Text(canvas.Label{X: x + barWidth + textSize*3.4, Y: p.top + height/2, Align: canvas.Middle, Up: true, Size: textSize, Color: faint, Text: "% of the true class"})
}
