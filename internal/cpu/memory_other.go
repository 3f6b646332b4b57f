//go:build !linux

package cpu

// spareMemory is not asked for on this system.
func spareMemory() int64 { return unknownMemory }
