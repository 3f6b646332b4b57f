package matrix

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"

	"repvgg/internal/figure/canvas"
)

// Sizes of the picture of a confusion matrix, in pixels.
const (
	sideWanted = 900.0 // of the matrix, unless the limits of a cell require another
	sideLeast  = 300.0
	cellMost   = 50.0  // the largest cell, unless that makes the side too short
	namedCell  = 11.0  // the smallest cell with room for a class name beside it
	mostCells  = 1500  // cells per side; with more classes, several share a cell
	nameRoom   = 170.0 // for a class name
	gap        = 22.0  // between parts, and around the picture
	barWidth   = 16.0
	titleSize  = 19.0
	textSize   = 13.0
	smallest   = 8.0 // text
)

var (
	ink   = color.RGBA{0x22, 0x22, 0x22, 0xff}
	faint = color.RGBA{0x66, 0x66, 0x66, 0xff}
	frame = color.RGBA{0x99, 0x99, 0x99, 0xff}
	grid  = color.RGBA{0xe4, 0xe8, 0xec, 0xff}
	white = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

// picture is the layout of a Matrix, with the true classes down and the predicted
// classes across. A cell's colour shows its share of the images in its row.
type picture struct {
	*Matrix
	bin       int     // classes per cell, in each direction
	cells     int     // cells per side
	cell      float64 // size of a cell
	labelSize float64 // size of the text at the axes
	countSize float64 // size of the text in the cells; 0 for none
	names     []string
	upright   bool // the class names below the matrix run upwards
	left, top float64
	width     int
	height    int
}

func newPicture(m *Matrix) (*picture, error) {
	n := len(m.Classes)
	p := &picture{Matrix: m, bin: (n + mostCells - 1) / mostCells}
	p.cells = (n + p.bin - 1) / p.bin
	cells := float64(p.cells)
	p.cell = min(max(math.Floor(sideWanted/cells), 1), max(cellMost, sideLeast/cells))
	if p.cell < namedCell && sideWanted*1.4/cells >= namedCell {
		p.cell = namedCell
	}
	p.labelSize = textSize
	across, down := textSize*3, textSize*1.5 // room for class numbers
	if p.bin == 1 && p.cell >= namedCell {
		p.labelSize = min(textSize, p.cell-1)
		var err error
		if across, down, err = p.measure(); err != nil {
			return nil, err
		}
	}
	p.left = gap + textSize*1.8 + across
	p.top = gap + titleSize*1.4 + textSize*1.4 + gap*0.6
	bar := gap + barWidth + textSize*3 + textSize*1.6
	p.width = int(math.Ceil(p.left + p.side() + bar + gap))
	p.height = int(math.Ceil(p.top + p.side() + down + textSize*1.8 + gap))
	return p, nil
}

func (p *picture) side() float64 { return p.cell * float64(p.cells) }

// measure decides which names and counts fit, and returns the room that the names
// need beside and below the matrix.
func (p *picture) measure() (across, down float64, err error) {
	face, err := canvas.NewFace(p.labelSize)
	if err != nil {
		return 0, 0, err
	}
	widest := 0
	for _, name := range p.Classes {
		name = face.Shorten(canvas.OneLine(name), nameRoom)
		p.names = append(p.names, name)
		widest = max(widest, face.Width(name))
	}
	across = float64(widest) + 8
	down = p.labelSize*1.3 + 6
	if p.upright = float64(widest) > p.cell-4; p.upright {
		down = across
	}
	size := min(p.cell*0.34, 15)
	face, err = canvas.NewFace(size)
	if err != nil {
		return 0, 0, err
	}
	widest = 1
	for _, row := range p.Rows {
		for _, cell := range row {
			widest = max(widest, face.Width(strconv.FormatInt(cell.Count, 10)))
		}
	}
	if size *= min(1, (p.cell-4)/float64(widest)); size >= smallest {
		p.countSize = size
	}
	return across, down, nil
}

func (p *picture) draw(c canvas.Canvas) {
	p.drawTitle(c)
	if p.countSize > 0 {
		p.drawCells(c)
		p.drawGrid(c)
	} else {
		c.Pixels(p.left, p.top, p.side(), p.side(), p.heatMap())
	}
	outline(c, p.left, p.top, p.side(), p.side())
	if p.names != nil {
		p.drawNames(c)
	} else {
		p.drawNumbers(c)
	}
	mid := p.side() / 2
	c.Text(canvas.Label{X: p.left + mid, Y: float64(p.height) - gap - textSize*0.4, Align: canvas.Middle, Size: textSize, Color: ink, Text: "predicted class"})
	c.Text(canvas.Label{X: gap + textSize*0.5, Y: p.top + mid, Align: canvas.Middle, Up: true, Size: textSize, Color: ink, Text: "true class"})
	p.drawBar(c)
}

func (p *picture) drawTitle(c canvas.Canvas) {
	images, right := p.totals()
	about := fmt.Sprintf("%d images, %d classes, accuracy %.2f %%", images, len(p.Classes), float64(right)/float64(max(images, 1))*100)
	if p.bin > 1 {
		about += fmt.Sprintf(", %d x %[1]d classes a cell", p.bin)
	}
	c.Text(canvas.Label{X: p.left, Y: gap + titleSize*0.6, Size: titleSize, Color: ink, Text: "Confusion matrix"})
	c.Text(canvas.Label{X: p.left, Y: gap + titleSize*1.4 + textSize*0.7, Size: textSize, Color: faint, Text: about})
}

// drawCells draws the cells with their counts.
func (p *picture) drawCells(c canvas.Canvas) {
	for truth, row := range p.Rows {
		y := p.top + float64(truth)*p.cell
		for _, cell := range row {
			x := p.left + float64(cell.Predicted)*p.cell
			share := float64(cell.Count) / float64(p.Support[truth])
			fill := p.shade(share)
			c.Rect(x, y, p.cell, p.cell, fill)
			c.Text(canvas.Label{X: x + p.cell/2, Y: y + p.cell/2, Align: canvas.Middle, Size: p.countSize, Color: inkOn(fill), Text: strconv.FormatInt(cell.Count, 10)})
		}
	}
}

// drawGrid draws lines between the cells.
func (p *picture) drawGrid(c canvas.Canvas) {
	for i := 1; i < p.cells; i++ {
		at := float64(i) * p.cell
		c.Rect(p.left+at-0.5, p.top, 1, p.side(), grid)
		c.Rect(p.left, p.top+at-0.5, p.side(), 1, grid)
	}
}

// heatMap returns an image with one pixel per cell.
func (p *picture) heatMap() image.Image {
	counts := make([]int64, p.cells)
	m := image.NewRGBA(image.Rect(0, 0, p.cells, p.cells))
	for y := range p.cells {
		clear(counts)
		support := int64(0)
		for truth := y * p.bin; truth < min((y+1)*p.bin, len(p.Rows)); truth++ {
			support += p.Support[truth]
			for _, cell := range p.Rows[truth] {
				counts[cell.Predicted/p.bin] += cell.Count
			}
		}
		for x, n := range counts {
			m.SetRGBA(x, y, p.shade(float64(n)/float64(max(support, 1))))
		}
	}
	return m
}

func outline(c canvas.Canvas, x, y, w, h float64) {
	c.Rect(x-1, y-1, w+2, 1, frame)
	c.Rect(x-1, y+h, w+2, 1, frame)
	c.Rect(x-1, y, 1, h, frame)
	c.Rect(x+w, y, 1, h, frame)
}

func (p *picture) drawNames(c canvas.Canvas) {
	for i, name := range p.names {
		at := (float64(i) + 0.5) * p.cell
		c.Text(canvas.Label{X: p.left - 6, Y: p.top + at, Align: canvas.End, Size: p.labelSize, Color: ink, Text: name})
		below := canvas.Label{X: p.left + at, Y: p.top + p.side() + 6 + p.labelSize*0.6, Align: canvas.Middle, Size: p.labelSize, Color: ink, Text: name}
		if p.upright {
			below.Y, below.Align, below.Up = p.top+p.side()+6, canvas.End, true
		}
		c.Text(below)
	}
}

// drawNumbers writes the labels of classes at regular steps.
func (p *picture) drawNumbers(c canvas.Canvas) {
	step := niceStep(float64(len(p.Classes)) * 60 / p.side())
	for class := 0; class < len(p.Classes); class += step {
		at := (float64(class/p.bin) + 0.5) * p.cell
		s := strconv.Itoa(class)
		c.Rect(p.left+at-0.5, p.top+p.side()+1, 1, 4, frame)
		c.Rect(p.left-5, p.top+at-0.5, 4, 1, frame)
		c.Text(canvas.Label{X: p.left + at, Y: p.top + p.side() + 6 + textSize*0.6, Align: canvas.Middle, Size: textSize, Color: ink, Text: s})
		c.Text(canvas.Label{X: p.left - 8, Y: p.top + at, Align: canvas.End, Size: textSize, Color: ink, Text: s})
	}
}

// niceStep returns the smallest of 1, 2, 5, 10, 20, ... that is at least v.
func niceStep(v float64) int {
	for step := 1; ; step *= 10 {
		for _, k := range []int{1, 2, 5} {
			if float64(step*k) >= v {
				return step * k
			}
		}
	}
}
