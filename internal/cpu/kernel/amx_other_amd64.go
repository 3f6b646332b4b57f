//go:build !linux && !noasm

package kernel

// permitTiles does not know how to ask this operating system.
func permitTiles() bool { return false }
