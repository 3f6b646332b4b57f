//go:build !linux

package cpu

// machineMemory is not asked for on this system.
func machineMemory() int64 { return unknownMemory }
