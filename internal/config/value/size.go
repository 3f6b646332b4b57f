package value

import (
	"errors"
	"fmt"
)

// The bounds of a config and its bases. Real configs hold at most some thousand
// values; aliases and repeated references can make a small text hold billions. What
// stands in several places counts as often.
const (
	MaxValues = 1 << 20
	MaxDepth  = 100
	// MaxText bounds the bytes of all strings, those of keys included.
	MaxText = 16 << 20
)

var (
	errTooManyValues = fmt.Errorf("too many values: a config holds at most %d", MaxValues)
	errTooMuchText   = fmt.Errorf("values too large: the strings of a config have at most %d bytes in all, each counted as often as it is used", MaxText)
)

// ErrTooDeep is the error for containers that are nested deeper than MaxDepth.
var ErrTooDeep = errors.New("values are nested deeper than 100 levels")

// A Sizer counts the values of a config while they are being read.
type Sizer struct{ values, text, depth int }

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

// Text counts a string, and is an error if all of them are too long.
func (s *Sizer) Text(text string) error {
	s.text += len(text)
	if s.text > MaxText {
		return errTooMuchText
	}
	return nil
}

// Add counts all of a value.
func (s *Sizer) Add(v Value) error {
	if err := s.Enter(); err != nil {
		return err
	}
	defer s.Leave()
	if text, ok := v.(string); ok {
		return s.Text(text)
	}
	items, _ := Items(v)
	for _, item := range items {
		if err := s.Add(item); err != nil {
			return err
		}
	}
	d, _ := v.(*Dict)
	for key, item := range d.All() {
		if text, ok := key.(string); ok {
			if err := s.Text(text); err != nil {
				return err
			}
		}
		if err := s.Add(item); err != nil {
			return err
		}
	}
	return nil
}

// Leave ends the value that was entered last.
func (s *Sizer) Leave() { s.depth-- }

// Depth returns the current depth of nesting.
func (s *Sizer) Depth() int { return s.depth }
