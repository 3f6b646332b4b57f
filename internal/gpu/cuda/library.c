//go:build cgo && unix

#ifdef __linux__
#define _GNU_SOURCE // dladdr
#endif

#include "library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int rg_open(const char *name, const struct rg_symbol *symbols, size_t n, void *table, char *message)
{
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		snprintf(message, RG_MESSAGE, "%s", dlerror());
		return 1;
	}
	void *function = NULL;
	for (size_t i = 0; i < n; i++) {
		function = dlsym(handle, symbols[i].name);
		if (function == NULL) {
			snprintf(message, RG_MESSAGE, "%s: it has no function %s", name, symbols[i].name);
			dlclose(handle);
			return 1;
		}
		memcpy((char *)table + symbols[i].offset, &function, sizeof function);
	}
	Dl_info info;
	int known = function != NULL && dladdr(function, &info) != 0 && info.dli_fname != NULL;
	snprintf(message, RG_MESSAGE, "%s", known ? info.dli_fname : name);
	return 0;
}
