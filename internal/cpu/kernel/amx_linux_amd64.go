//go:build !noasm

package kernel

import "golang.org/x/sys/unix"

// permitTiles asks Linux for the permission to use the tiles, for all threads of
// the process.
func permitTiles() bool {
	const (
		requestPermission = 0x1023 // ARCH_REQ_XCOMP_PERM
		tiles             = 18     // the number of their state
	)
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, requestPermission, tiles, 0)
	return errno == 0
}
