package gpu

import (
	"slices"

	"repvgg/internal/gpu/cuda"
)

// allowed reports whether an engine with these notes computes what a precision
// promises: sums in float32, and the same bits in each run. For fp32 that excludes
// tensor cores, which would round to tf32, and Winograd's larger tiles.
func (p precision) allowed(notes []int32) bool {
	forbidden := []int32{cuda.NoteReducedReduction, cuda.NoteNondeterministic, cuda.NoteDownConverts, cuda.NoteWinograd13}
	switch p {
	case fp32:
		forbidden = append(forbidden, cuda.NoteTensorCore, cuda.NoteWinograd6)
	case tf32:
	default:
		// Winograd's transforms would be rounded to 16 bits.
		forbidden = append(forbidden, cuda.NoteWinograd)
	}
	return !slices.ContainsFunc(notes, func(n int32) bool { return slices.Contains(forbidden, n) })
}
