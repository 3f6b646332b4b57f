//go:build !linux

package bench

// ReadLoad reads the load; ok is false where it can't be had.
func ReadLoad() (l Load, ok bool) { return Load{}, false }
