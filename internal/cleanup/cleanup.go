// Package cleanup keeps what a process must remove before it ends, for the case
// that its work can't be waited for.
package cleanup

import "sync"

var (
	mu      sync.Mutex
	pending = make(map[int]func())
	next    int
)

// Do runs make, which leaves something behind that remove removes. If it fails,
// there is nothing to remove. done ends that duty: after it, what was made stays or
// is gone already.
func Do(remove func(), make func() error) (done func(), err error) {
	mu.Lock()
	defer mu.Unlock()
	if err := make(); err != nil {
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

// Keep runs f, which gives a name to something that is complete, and is not
// disturbed by Run meanwhile.
func Keep(f func() error) error {
	mu.Lock()
	defer mu.Unlock()
	return f()
}

// Run removes all that is pending. From then on Do and Keep wait for ever: call it
// only to end the process.
func Run() {
	mu.Lock()
	for _, remove := range pending {
		remove()
	}
}
