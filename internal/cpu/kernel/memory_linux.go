package kernel

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapMemory gives n bytes of new memory, or nil if there are none.
func mapMemory(n int) []byte {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil
	}
	return b
}

// unmapMemory gives back what mapMemory gave; there is nothing in that to fail.
func unmapMemory(b []byte) { _ = unix.Munmap(b) }

// What follows are hints to the kernel: errors don't matter.

// smallPages is set once a large page was slow to come. Where the host of a virtual
// machine takes its free memory back, it takes whole large pages, and when the
// guest uses one again it waits for 512 page faults of the host's: five times as
// long as for small pages, which the guest finds among those that it has kept.
var smallPages atomic.Bool

// slowPage is more than it takes to hand out 2 MB in any other case.
const slowPage = 2 * time.Millisecond

// adviseHugePages asks for large pages for memory of whole ones.
func adviseHugePages(b []byte) {
	if !smallPages.Load() {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	}
}

// populate hands out the memory [from, to) of all, and leaves what is in it.
func populate(all []byte, from, to int) {
	runtime.LockOSThread() // the clock is a thread's
	defer runtime.UnlockOSThread()
	before := threadTime()
	_ = unix.Madvise(wholePages(all[from:to]), unix.MADV_POPULATE_WRITE)
	if threadTime()-before > slowPage && !smallPages.Load() {
		giveUpHugePages(all)
	}
}

// giveUpHugePages leaves what comes next of all, and later memory, in small pages.
func giveUpHugePages(all []byte) {
	smallPages.Store(true)
	_ = unix.Madvise(wholePages(all), unix.MADV_NOHUGEPAGE)
}

// wholePages are the pages that lie in b.
func wholePages(b []byte) []byte {
	page := unix.Getpagesize()
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & uintptr(page-1))
	b = b[min(skip, len(b)):]
	return b[:len(b)&^(page-1)]
}

// threadTime is the processor time of the calling thread.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // every kernel has this clock
	return time.Duration(t.Nano())
}
