//go:build !linux

package bench

// ReadLoad reads the load. ok is false if it is not available.
func ReadLoad() (l Load, ok bool) { return Load{}, false }
