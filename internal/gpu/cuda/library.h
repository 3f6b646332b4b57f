//go:build cgo && unix

// Opening a shared library and looking up its functions.
#ifndef REPVGG_GPU_LIBRARY_H
#define REPVGG_GPU_LIBRARY_H

#include <stddef.h>

// The size of the buffer for the message of a failed call.
#define RG_MESSAGE 512

// A function to look up, and where in a table of functions its address goes.
struct rg_symbol {
	const char *name;
	size_t offset;
};

// rg_open loads a shared library by name or path and fills table with the addresses
// of the functions. It returns 0 and writes the file's path to message; after a
// failure it returns 1 and writes the reason. The library stays loaded until the
// process ends, since CUDA's libraries have threads of their own.
int rg_open(const char *name, const struct rg_symbol *symbols, size_t n, void *table, char *message);

// RG_SYMBOL is the entry of a field whose function has the given name.
#define RG_SYMBOL(table, field, name) {name, offsetof(struct table, field)}

#endif
