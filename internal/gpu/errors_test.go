package gpu

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
		err          error
		memory, gone bool
	}{
		{&StatusError{Library: libCUDA, Code: 2}, true, false}, {&StatusError{Library: libCUDNN, Code: 2}, false, false},
		{&StatusError{Library: libCUDNN, Code: 4004}, true, false}, {&StatusError{Library: libCUDA, Code: 700}, false, true},
		{&StatusError{Library: libCUDA, Code: 719}, false, true}, {&StatusError{Library: libCUDA, Code: 1}, false, false},
		{&StatusError{Library: libNVRTC, Code: 700}, false, false}, {errors.New("else"), false, false}, {nil, false, false},
	} {
		for _, err := range []error{c.err, fmt.Errorf("around: %w", c.err)} {
			if isOutOfMemory(err) != c.memory || isLost(err) != c.gone {
				t.Errorf("%v: out of memory %v, lost %v", err, isOutOfMemory(err), isLost(err))
			}
		}
	}
}
