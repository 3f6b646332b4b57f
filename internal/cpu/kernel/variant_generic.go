//go:build !amd64 || noasm

package kernel

// vectorVariants are none on this architecture.
func vectorVariants() []*Variant { return nil }
