package cuda

import (
	"errors"
	"fmt"
	"testing"
)

func TestStatus(t *testing.T) {
	describe := func(code int) string { return map[int]string{2: "out of memory"}[code] }
	if err := status(libCUDA, "cuMemAlloc", 0, describe); err != nil {
		t.Error(err)
	}
	err := status(libCUDA, "cuMemAlloc", 2, describe)
	if got, want := err.Error(), "cuMemAlloc: out of memory (CUDA status 2)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := status(libCUDNN, "cudnnCreate", 77, describe).Error(), "cudnnCreate: unknown status (cuDNN status 77)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKindsOfErrors(t *testing.T) {
	for _, c := range []struct {
		err                 error
		memory, lost, cudnn bool
	}{
		{&statusError{library: libCUDA, code: 2}, true, false, false}, {&statusError{library: libCUDNN, code: 2}, false, false, true},
		{&statusError{library: libCUDNN, code: 4004}, true, false, true}, {&statusError{library: libCUDA, code: 700}, false, true, false},
		{&statusError{library: libCUDA, code: 719}, false, true, false}, {&statusError{library: libCUDA, code: 1}, false, false, false},
		{&statusError{library: libNVRTC, code: 700}, false, false, false}, {errors.New("another"), false, false, false}, {nil, false, false, false},
	} {
		for _, err := range []error{c.err, fmt.Errorf("around: %w", c.err)} {
			if IsOutOfMemory(err) != c.memory || IsLost(err) != c.lost || IsCUDNN(err) != c.cudnn {
				t.Errorf("%v: out of memory %v, lost %v, cuDNN's %v", err, IsOutOfMemory(err), IsLost(err), IsCUDNN(err))
			}
		}
	}
}
