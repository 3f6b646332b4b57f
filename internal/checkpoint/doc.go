// Package checkpoint reads and writes PyTorch checkpoints: the zip format of
// torch >= 1.6, the legacy format before it, which published weights still use,
// and safetensors.
//
// A checkpoint is untrusted input. Its pickles are checked before they are
// interpreted, no class or function that they name is ever called, every
// number they hold is checked before it is used, and memory is bounded by what
// the caller asks for, not by what the file claims.
//
// Reading is lazy: Open reads the pickled structure alone; a tensor's values
// are read when asked for, in slices of its first dimension. What nobody asks
// for, such as the optimizer's state, costs nothing.
package checkpoint
