package value

import "errors"

// Bounds on the value of one file. Real configs hold at most a few thousand values,
// but with aliases and repeated references a small text can hold billions.
const (
	MaxValues = 1 << 20
	MaxDepth  = 100
)

var errTooManyValues = errors.New("too many values: a config holds at most 1048576")

// ErrTooDeep is the error for containers that are nested deeper than MaxDepth.
var ErrTooDeep = errors.New("values are nested deeper than 100 levels")

// A Sizer counts the values of a file while they are read.
type Sizer struct{ values, depth int }

// Enter counts one value. It returns an error if there are too many, or if they are
// nested too deep. Call Leave after the value's contents.
func (s *Sizer) Enter() error {
	s.values++
	s.depth++
	if s.values > MaxValues {
		return errTooManyValues
	}
	if s.depth > MaxDepth {
		return ErrTooDeep
	}
	return nil
}

// Leave ends the value that was entered last.
func (s *Sizer) Leave() { s.depth-- }

// Depth returns the current depth of nesting.
func (s *Sizer) Depth() int { return s.depth }
