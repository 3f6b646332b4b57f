package value

import "errors"

// The bounds of one file's value. Real configs hold at most some thousand
// values; aliases and repeated references can make a small text hold billions.
const (
	MaxValues = 1 << 20
	MaxDepth  = 100
)

var errTooManyValues = errors.New("too many values: a config holds at most 1048576")

// ErrTooDeep says that containers are nested deeper than MaxDepth.
var ErrTooDeep = errors.New("values are nested deeper than 100 levels")

// A Sizer counts the values of a file while they are being read.
type Sizer struct{ values, depth int }

// Enter counts one value, and is an error if there are too many or they are
// nested too deep. The caller calls Leave when the value's content is done.
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

// Depth is how many values are entered and not left.
func (s *Sizer) Depth() int { return s.depth }
