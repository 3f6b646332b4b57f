package kernel

import "testing"

// Large weights, which have memory of their own, are zeros at first, whatever is
// done to their memory: also where large pages turn out to be slow.
func TestMemory(t *testing.T) {
	const n = 3*hugePage + 5*cellBytes
	t.Cleanup(func() { smallPages.Store(false) })
	for _, slow := range []bool{false, true} {
		m := newMemory(n)
		if m.Pieces() != 4 || len(m.weights) != n {
			t.Fatalf("%d bytes in %d pieces", len(m.weights), m.Pieces())
		}
		for piece := range m.Pieces() {
			m.weights[piece*hugePage+1] = 7
			if slow {
				giveUpHugePages(m.weights)
			}
			m.Populate(piece)
			m.Populate(piece)
		}
		for i, b := range m.weights {
			if want := i%hugePage == 1; (b == 7) != want || !want && b != 0 {
				t.Fatalf("byte %d is %d", i, b)
			}
		}
		m.Release()
		m.Release() // of nothing
	}
}
