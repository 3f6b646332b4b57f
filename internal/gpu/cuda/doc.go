// Package cuda is the one door to NVIDIA's libraries: the driver (libcuda), NVRTC
// and cuDNN 9. It owns the C sources of the GPU runner and everything unsafe.
//
// Nothing of CUDA is needed to build it. The libraries are found and loaded when
// they are opened (search.go). Their interfaces are declared in the .h files, from
// NVIDIA's public documentation (cuda.h, nvrtc.h, cudnn.h). Every status that one
// of them returns becomes an error in one function (status).
//
// A build without cgo has only what needs no library: the search, the errors and
// the descriptions of convolutions and engines.
package cuda
