package report

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
)

// Sizes of the picture of a confusion matrix, in pixels.
const (
	sideWanted = 900.0 // of the matrix, where cells need not be larger or smaller
	sideLeast  = 300.0
	cellMost   = 50.0  // unless that makes the side less than its least
	namedCell  = 11.0  // the smallest cell beside which a class name can stand
	mostCells  = 1500  // a side; more classes share cells
	nameRoom   = 170.0 // for a class name
	gap        = 22.0  // between parts, and round the picture
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

// confusionPicture is the layout of a Confusion: true classes down, predicted
// ones across. A cell's colour is its share of the images of its row.
type confusionPicture struct {
	*Confusion
	bin       int     // classes a cell has on each side
	cells     int     // a side
	cell      float64 // size of one
	labelSize float64 // of text at the axes
	countSize float64 // of text in the cells, 0 for none
	names     []string
	upright   bool // class names below run upwards
	left, top float64
	width     int
	height    int
}

func newConfusionPicture(c *Confusion) (*confusionPicture, error) {
	n := len(c.Classes)
	p := &confusionPicture{Confusion: c, bin: (n + mostCells - 1) / mostCells}
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

func (p *confusionPicture) side() float64 { return p.cell * float64(p.cells) }

// measure chooses the names and counts that fit, and returns the room that the
// names take beside and below the matrix.
func (p *confusionPicture) measure() (across, down float64, err error) {
	face, err := newFace(p.labelSize)
	if err != nil {
		return 0, 0, err
	}
	widest := 0
	for _, name := range p.Classes {
		name = shorten(face, oneLine(name), nameRoom)
		p.names = append(p.names, name)
		widest = max(widest, textWidth(face, name))
	}
	across = float64(widest) + 8
	down = p.labelSize*1.3 + 6
	if p.upright = float64(widest) > p.cell-4; p.upright {
		down = across
	}
	size := min(p.cell*0.34, 15)
	face, err = newFace(size)
	if err != nil {
		return 0, 0, err
	}
	widest = 1
	for _, row := range p.rows {
		for _, cell := range row {
			widest = max(widest, textWidth(face, strconv.FormatInt(cell.count, 10)))
		}
	}
	if size *= min(1, (p.cell-4)/float64(widest)); size >= smallest {
		p.countSize = size
	}
	return across, down, nil
}

func (p *confusionPicture) draw(c canvas) {
	p.drawTitle(c)
	if p.countSize > 0 {
		p.drawCells(c)
		p.drawGrid(c)
	} else {
		c.pixels(p.left, p.top, p.side(), p.side(), p.heatMap())
	}
	outline(c, p.left, p.top, p.side(), p.side())
	if p.names != nil {
		p.drawNames(c)
	} else {
		p.drawNumbers(c)
	}
	mid := p.side() / 2
	c.text(label{x: p.left + mid, y: float64(p.height) - gap - textSize*0.4, align: middle, size: textSize, color: ink, s: "predicted class"})
	c.text(label{x: gap + textSize*0.5, y: p.top + mid, align: middle, up: true, size: textSize, color: ink, s: "true class"})
	p.drawBar(c)
}

func (p *confusionPicture) drawTitle(c canvas) {
	images, right := p.totals()
	about := fmt.Sprintf("%d images, %d classes, accuracy %.2f %%", images, len(p.Classes), float64(right)/float64(max(images, 1))*100)
	if p.bin > 1 {
		about += fmt.Sprintf(", %d x %[1]d classes a cell", p.bin)
	}
	c.text(label{x: p.left, y: gap + titleSize*0.6, size: titleSize, color: ink, s: "Confusion matrix"})
	c.text(label{x: p.left, y: gap + titleSize*1.4 + textSize*0.7, size: textSize, color: faint, s: about})
}

// drawCells draws the cells with their counts.
func (p *confusionPicture) drawCells(c canvas) {
	for truth, row := range p.rows {
		y := p.top + float64(truth)*p.cell
		for _, cell := range row {
			x := p.left + float64(cell.predicted)*p.cell
			share := float64(cell.count) / float64(p.Support[truth])
			fill := p.shade(share)
			c.rect(x, y, p.cell, p.cell, fill)
			c.text(label{x: x + p.cell/2, y: y + p.cell/2, align: middle, size: p.countSize, color: inkOn(fill), s: strconv.FormatInt(cell.count, 10)})
		}
	}
}

// drawGrid draws lines between the cells.
func (p *confusionPicture) drawGrid(c canvas) {
	for i := 1; i < p.cells; i++ {
		at := float64(i) * p.cell
		c.rect(p.left+at-0.5, p.top, 1, p.side(), grid)
		c.rect(p.left, p.top+at-0.5, p.side(), 1, grid)
	}
}

// heatMap is one dot for each cell.
func (p *confusionPicture) heatMap() image.Image {
	counts := make([]int64, p.cells)
	m := image.NewRGBA(image.Rect(0, 0, p.cells, p.cells))
	for y := range p.cells {
		clear(counts)
		support := int64(0)
		for truth := y * p.bin; truth < min((y+1)*p.bin, len(p.rows)); truth++ {
			support += p.Support[truth]
			for _, cell := range p.rows[truth] {
				counts[cell.predicted/p.bin] += cell.count
			}
		}
		for x, n := range counts {
			m.SetRGBA(x, y, p.shade(float64(n)/float64(max(support, 1))))
		}
	}
	return m
}

func outline(c canvas, x, y, w, h float64) {
	c.rect(x-1, y-1, w+2, 1, frame)
	c.rect(x-1, y+h, w+2, 1, frame)
	c.rect(x-1, y, 1, h, frame)
	c.rect(x+w, y, 1, h, frame)
}

func (p *confusionPicture) drawNames(c canvas) {
	for i, name := range p.names {
		at := (float64(i) + 0.5) * p.cell
		c.text(label{x: p.left - 6, y: p.top + at, align: end, size: p.labelSize, color: ink, s: name})
		below := label{x: p.left + at, y: p.top + p.side() + 6 + p.labelSize*0.6, align: middle, size: p.labelSize, color: ink, s: name}
		if p.upright {
			below.y, below.align, below.up = p.top+p.side()+6, end, true
		}
		c.text(below)
	}
}

// drawNumbers marks every so many classes with their label.
func (p *confusionPicture) drawNumbers(c canvas) {
	step := niceStep(float64(len(p.Classes)) * 60 / p.side())
	for class := 0; class < len(p.Classes); class += step {
		at := (float64(class/p.bin) + 0.5) * p.cell
		s := strconv.Itoa(class)
		c.rect(p.left+at-0.5, p.top+p.side()+1, 1, 4, frame)
		c.rect(p.left-5, p.top+at-0.5, 4, 1, frame)
		c.text(label{x: p.left + at, y: p.top + p.side() + 6 + textSize*0.6, align: middle, size: textSize, color: ink, s: s})
		c.text(label{x: p.left - 8, y: p.top + at, align: end, size: textSize, color: ink, s: s})
	}
}

// niceStep is the smallest of 1, 2, 5, 10, 20, ... that is at least v.
func niceStep(v float64) int {
	for step := 1; ; step *= 10 {
		for _, k := range []int{1, 2, 5} {
			if float64(step*k) >= v {
				return step * k
			}
		}
	}
}
