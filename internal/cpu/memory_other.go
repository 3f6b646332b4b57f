//go:build !linux

package cpu

// MachineMemory is not asked for on this system.
func MachineMemory() int64 { return unknownMemory }
