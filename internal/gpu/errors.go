package gpu

import (
	"errors"
	"fmt"
)

// StatusError is what a function of one of the libraries returned instead of
// success.
type StatusError struct {
	// Library is CUDA, cuDNN or NVRTC; Call the name of the function.
	Library, Call string
	Code          int
	// Text is the library's own message.
	Text string
}

func (e *StatusError) Error() string {
	text := e.Text
	if text == "" {
		text = "unknown status"
	}
	return fmt.Sprintf("%s: %s (%s status %d)", e.Call, text, e.Library, e.Code)
}

// status makes an error of what a call returned; describe gives the library's
// message. All statuses of all libraries come through here.
func status(library, call string, code int, describe func(code int) string) error {
	if code == 0 {
		return nil
	}
	return &StatusError{Library: library, Call: call, Code: code, Text: describe(code)}
}

// The statuses that callers tell apart: of the driver (cuda.h, CUresult) and of
// cuDNN 9 (cudnn_graph.h, cudnnStatus_t).
const (
	cudaOutOfMemory    = 2
	cudnnHostMemory    = 4003
	cudnnDeviceMemory  = 4004
	cudnnInternalError = 4000
)

// cudaLost are the driver's statuses after which a context is of no use any
// more.
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

// isOutOfMemory tells whether an error says that memory of the device is short.
func isOutOfMemory(err error) bool {
	var e *StatusError
	if !errors.As(err, &e) {
		return false
	}
	return e.Library == libCUDA && e.Code == cudaOutOfMemory || e.Library == libCUDNN && (e.Code == cudnnHostMemory || e.Code == cudnnDeviceMemory)
}

// isLost tells whether an error leaves the device unusable for this process.
func isLost(err error) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Library == libCUDA && cudaLost[e.Code] != ""
}

// The libraries, as errors name them.
const (
	libCUDA  = "CUDA"
	libCUDNN = "cuDNN"
	libNVRTC = "NVRTC"
)

// overflow is the error for a layer whose results are not finite.
func overflow(layer string, p precision) error {
	if p == fp16 {
		return fmt.Errorf("running the network: the results of %q are not finite: fp16 ends at 65504; use --precision bf16, tf32 or fp32", layer)
	}
	return fmt.Errorf("running the network: the results of %q are not finite in %v: the checkpoint holds weights that are not finite, or too large", layer, p)
}
