package gpu

import "slices"

// The notes on an engine's arithmetic (cudnnBackendNumericalNote_t).
const (
	noteTensorCore       = 0
	noteDownConverts     = 1 // inputs are rounded to a narrower type
	noteReducedReduction = 2 // sums are narrower than float32
	noteNondeterministic = 4
	noteWinograd         = 5
	noteWinograd6        = 7 // tiles of 6x6
	noteWinograd13       = 8 // tiles of 13x13
)

// allowed tells whether an engine with these notes computes what a precision
// promises: sums in float32, the same bits each time, and for fp32 no tensor
// cores, which would round to tf32, nor the larger of Winograd's tiles.
func (p precision) allowed(notes []int32) bool {
	forbidden := []int32{noteReducedReduction, noteNondeterministic, noteDownConverts, noteWinograd13}
	switch p {
	case fp32:
		forbidden = append(forbidden, noteTensorCore, noteWinograd6)
	case tf32:
	default:
		// Winograd's transforms would be rounded to 16 bits.
		forbidden = append(forbidden, noteWinograd)
	}
	return !slices.ContainsFunc(notes, func(n int32) bool { return slices.Contains(forbidden, n) })
}
