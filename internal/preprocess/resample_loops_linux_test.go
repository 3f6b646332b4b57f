package preprocess

import (
	"syscall"
	"testing"
)

// pageArena hands out memory that ends where an unreadable page begins, or,
// where atEnd is false, begins where one ends.
func pageArena(t *testing.T, atEnd bool) arena {
	page := syscall.Getpagesize()
	const size = 64 << 10
	var mapped [][]byte
	for range 2 {
		m, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			t.Skipf("mapping memory: %v", err)
		}
		t.Cleanup(func() {
			if err := syscall.Munmap(m); err != nil {
				t.Error(err)
			}
		})
		for _, guard := range [][]byte{m[:page], m[page+size:]} {
			if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
				t.Fatal(err)
			}
		}
		mapped = append(mapped, m[page:page+size])
	}
	turn := 0
	return arena{
		bytes: func(n int) []byte {
			a := mapped[turn%2]
			turn++
			if atEnd {
				return a[size-n:]
			}
			return a[:n:n]
		},
		check: func(string) {},
	}
}

// TestLoopsAtPageEnds faults if a loop touches a byte outside its slices.
func TestLoopsAtPageEnds(t *testing.T) {
	for _, atEnd := range []bool{true, false} {
		memory := pageArena(t, atEnd)
		checkColumnLoop(t, memory)
		checkFourRowsLoop(t, memory)
		checkResizeLoops(t, memory)
	}
}
