// Package pickle reads and writes Python pickles.
//
// Reading is inert. A pickle is a program for Python's pickle machine, which
// may name any class or function of the machine it is loaded on and have it
// called. Load runs no such program: a call of a name that it does not know
// gives an Object, a placeholder that takes whatever the pickle does to it.
// Known are the containers of Python and the arrays of NumPy; what else has a
// meaning, the caller says. So there is no list of names that are forbidden:
// there is nothing that a name could do.
//
// Reading is bounded. A length is held against the bytes that are there before
// anything is read. Of what a pickle holds only a part is kept: not the entries
// of a dict whose keys are no names, nor long lists, nor long strings, which stay
// in the file as a Blob. What is kept is counted and has a limit. The bookkeeping
// of a long training run, tens of megabytes, thus takes time but no memory.
//
// Writing is an Encoder of protocol 2.
package pickle
