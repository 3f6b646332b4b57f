//go:build !linux

package kernel

// Memory is Go's, and the size of pages, and when they are handed out, is left to
// the system.

func mapMemory(int) []byte { return nil }

func unmapMemory([]byte) {}

func adviseHugePages([]byte) {}

func populate([]byte, int, int) {}
