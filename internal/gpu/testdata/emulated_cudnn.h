// An emulated cuDNN 9 that computes on the host: the functions that internal/gpu
// calls, as NVIDIA's documentation describes them. It accepts one pattern of graph: a
// convolution of N, H, W, C, then, each if wanted, the sum with a tensor, the sum with
// a bias, ReLU. It is strict where the real one may not be: it ends the program when
// something is used that was destroyed or not finalized, or when two threads use a
// handle at once. It does not show that the real cuDNN accepts a graph.
//
// Variables of the environment control it:
//
//	EMULATED_ENGINES         the engines (emulated_engines.h) that heuristic A proposes;
//	                         B proposes them from the last to the first
//	EMULATED_FALLBACK        the engines of the fallback heuristic
//	EMULATED_REFUSED         engines that no plan can be made of
//	EMULATED_PLAN            bytes of memory that a plan takes
//	EMULATED_HANDLES         how many handles there may be
//	EMULATED_LEGACY          microseconds of a convolution of the older interface;
//	                         0 switches it off
//	EMULATED_LEGACY_DEPENDENT=1  the older interface adds 0 * NaN
//	EMULATED_NAN=0           ReLU turns NaN into 0, whatever it is asked
#pragma once

#include "cudnn.h"

#include <mutex>
#include <sstream>
#include <sys/mman.h>
#include <unistd.h>

enum { // cudnnStatus_t
	BAD_PARAM = 2000,
	ATTRIBUTE_TYPE = 2010,
	NOT_SUPPORTED = 3000,
	DEVICE_MEMORY = 4004,
	EXECUTION_FAILED = 5000,
};
#if defined(REPVGG_FP16)
enum { OWN_TYPE = RG_HALF };
#elif defined(REPVGG_BF16)
enum { OWN_TYPE = RG_BFLOAT16 };
#else
enum { OWN_TYPE = RG_FLOAT };
#endif

static std::recursive_mutex cudnn_mutex; // several threads make plans
#define LOCKED std::lock_guard<std::recursive_mutex> locked(cudnn_mutex)

[[noreturn]] static void die(const char *why, int type = -1)
{
	fprintf(stderr, "emulated cuDNN: %s (type %d)\n", why, type);
	abort();
}
static thread_local std::string last_error;
static int refuse(int status, const char *why) { return last_error = why, status; }

static std::string text_of(const char *variable, const std::string &otherwise)
{
	const char *text = getenv(variable);
	return text != nullptr ? text : otherwise;
}
static std::vector<std::string> words(const std::string &text)
{
	std::istringstream in(text);
	std::vector<std::string> all;
	for (std::string w; in >> w;)
		all.push_back(w);
	return all;
}

#include "emulated_engines.h"
#include "emulated_descriptors.h"
#include "emulated_graphs.h"
#include "emulated_calls.h"
#include "emulated_older.h"
