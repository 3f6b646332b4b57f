package cuda

import (
	"errors"
	"fmt"
)

// UnavailableError says why this process can use no GPU at all: the build has no
// cgo, or the machine has no driver or no device.
type UnavailableError struct {
	// Reason says what is missing and how to get it.
	Reason error
}

func (e *UnavailableError) Error() string { return e.Reason.Error() }

func (e *UnavailableError) Unwrap() error { return e.Reason }

// statusError is a status other than success that a function of one of the
// libraries returned.
type statusError struct {
	library, call string
	code          int
	text          string // the library's own message
}

func (e *statusError) Error() string {
	text := e.text
	if text == "" {
		text = "unknown status"
	}
	return fmt.Sprintf("%s: %s (%s status %d)", e.call, text, e.library, e.code)
}

// status makes an error of the status that a call returned; nil for success.
// describe gives the library's message. All statuses of all libraries pass
// through here.
func status(library, call string, code int, describe func(code int) string) error {
	if code == 0 {
		return nil
	}
	return &statusError{library: library, call: call, code: code, text: describe(code)}
}

// The libraries, as errors name them.
const (
	libCUDA  = "CUDA"
	libCUDNN = "cuDNN"
	libNVRTC = "NVRTC"
)

// The statuses that mean that memory is short: of the driver (cuda.h, CUresult)
// and of cuDNN 9 (cudnn_graph.h, cudnnStatus_t).
const (
	cudaOutOfMemory   = 2
	cudnnHostMemory   = 4003
	cudnnDeviceMemory = 4004
)

// cudaLost are the driver's statuses after which a context is unusable.
var cudaLost = map[int]string{
	214: "uncorrectable memory error",
	219: "graphics context lost",
	220: "NVLink error",
	700: "illegal address",
	702: "a kernel ran too long",
	709: "context destroyed",
	710: "assertion on the device",
	714: "hardware stack error",
	715: "illegal instruction",
	716: "misaligned address",
	717: "invalid address space",
	718: "invalid program counter",
	719: "launch failed",
	999: "unknown error",
}

// IsOutOfMemory reports whether err means that the device's memory is short.
func IsOutOfMemory(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	if !ok {
		return false
	}
	return e.library == libCUDA && e.code == cudaOutOfMemory || e.library == libCUDNN && (e.code == cudnnHostMemory || e.code == cudnnDeviceMemory)
}

// IsLost reports whether err leaves the device unusable for this process.
func IsLost(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && e.library == libCUDA && cudaLost[e.code] != ""
}

// IsCUDNN reports whether err is a status of cuDNN. Such a status does not show
// whether the device was lost.
func IsCUDNN(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && e.library == libCUDNN
}
