package table

import (
	"math"
	"strconv"
)

// Cell is a value as text. The zero Cell is an unknown value: a dash in text and
// Markdown, empty in CSV, and null in JSON.
type Cell struct {
	text string
	kind kind
}

type kind uint8

const (
	none      kind = iota
	words          // a string in JSON
	markup         // a string in JSON; not escaped in Markdown
	literal        // a number or a boolean
	notFinite      // null in JSON
)

// Text is a string.
func Text(s string) Cell { return Cell{s, words} }

// Markup is a string in Markdown.
func Markup(s string) Cell { return Cell{s, markup} }

// Bool is true or false.
func Bool(b bool) Cell { return Cell{strconv.FormatBool(b), literal} }

// Int is a whole number.
func Int[T int | int64](n T) Cell { return Cell{strconv.FormatInt(int64(n), 10), literal} }

// Number is a finite number with given digits, such as those of a published figure.
func Number(digits string) Cell { return Cell{digits, literal} }

// Float is a number with the fewest digits that represent it exactly, and an
// exponent if it is large or small.
func Float(v float64) Cell { return float(v, 'g', -1, 64) }

// Float32 is Float for a float32.
func Float32(v float32) Cell { return float(float64(v), 'g', -1, 32) }

// Decimal is a number with the fewest digits that represent it exactly, without an
// exponent.
func Decimal(v float64) Cell { return float(v, 'f', -1, 64) }

// Fixed is a number with a fixed number of decimals.
func Fixed(v float64, digits int) Cell { return float(v, 'f', digits, 64) }

func float(v float64, format byte, digits, bits int) Cell {
	c := Cell{strconv.FormatFloat(v, format, digits, bits), literal}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		c.kind = notFinite
	}
	return c
}

// Optional is the cell of a value, or the zero Cell if v is nil.
func Optional[T any](v *T, cell func(T) Cell) Cell {
	if v == nil {
		return Cell{}
	}
	return cell(*v)
}

// String returns the cell as text.
func (c Cell) String() string {
	if c.kind == none {
		return "-"
	}
	return c.text
}
