// Package cleanup removes unfinished files when the process must end without
// waiting for its work.
package cleanup

import "sync"

var (
	mu      sync.Mutex
	pending = make(map[int]func())
	next    int
)

// Do calls work, which creates something, and registers remove, which removes it.
// If work fails, nothing is registered. Call done when there is nothing left to
// remove.
func Do(remove func(), work func() error) (done func(), err error) {
	mu.Lock()
	defer mu.Unlock()
	if err := work(); err != nil {
		return nil, err
	}
	id := next
	next++
	pending[id] = remove
	return func() {
		mu.Lock()
		defer mu.Unlock()
		delete(pending, id)
	}, nil
}

// Keep calls f, which gives something complete its final name. Run waits until f
// has returned.
func Keep(f func() error) error {
	mu.Lock()
	defer mu.Unlock()
	return f()
}

// Run removes everything that is registered. After that, Do and Keep block forever.
// Call it only to end the process.
func Run() {
	mu.Lock()
	for _, remove := range pending {
		remove()
	}
}
