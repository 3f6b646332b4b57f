package cuda

// Found is the outcome of the search for a library.
type Found struct {
	// Path is the library's file; empty if Err is not nil.
	Path string
	// Version is empty if the library does not report it.
	Version string
	// Err is why the library can't be used.
	Err error
}

// Libraries are those that a GPU needs.
type Libraries struct {
	Driver, NVRTC, CUDNN Found
}
