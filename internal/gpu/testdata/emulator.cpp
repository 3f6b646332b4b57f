// Emulated libraries, to test how the Go side uses memory, streams, graphs,
// descriptors and errors. They show nothing about the real cuDNN or a GPU.
//
// Built with EMULATE_DRIVER this is libcuda, for one of the precisions of kernels.cu,
// and a cuDNN that computes (emulated_cudnn.h). Device memory is the host's. Streams
// do their work as late as possible, so that a missing wait shows. Graphs are lists of
// captured work. Time is the sum of the costs of kernels and engines.
//
// Built without, it is an NVRTC that compiles nothing and a cuDNN that refuses every
// convolution, which leaves them to the kernel `convolve`.
//
// EMULATED_MEMORY is the device's memory in bytes. EMULATED_LOSS is the number of
// launches after which the device is lost, until cuInit is called again.

#include <cstdint>
#include <cstdlib>
#include <cstring>

#ifdef EMULATE_DRIVER

#include "host.h"
#include "kernels.cu"

#include <cstdio>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

typedef unsigned long long devptr;
enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, ILLEGAL_ADDRESS = 700, CAPTURE_INVALIDATED = 901 };

// Bytes behind each allocation that nothing may write to.
enum { GUARD = 64 };
enum { KERNEL_COST = 5 }; // microseconds
static std::map<devptr, size_t> allocations;
static size_t used;
static long objects, launches; // objects: the living streams, events, graphs, modules, descriptors
static bool lost;
static double elapsed; // microseconds

static size_t number(const char *variable, size_t otherwise)
{
	const char *text = getenv(variable);
	return text != nullptr && *text ? strtoull(text, nullptr, 10) : otherwise;
}
static size_t total() { return number("EMULATED_MEMORY", size_t(1) << 30); }

typedef std::function<void()> task;
struct stream {
	std::vector<task> *captured = nullptr;
	bool broken = false; // something refused to be captured
	std::deque<task> queue;
	size_t put = 0, done = 0; // numbers of tasks so far
};
static std::set<stream *> streams;
struct event {
	stream *on = nullptr;
	size_t at = 0; // number of tasks before it
	double time = 0;
};
struct graph {
	std::vector<task> tasks;
	int queued = 0; // launches
};

static int put(void *where, task t)
{
	auto *s = static_cast<stream *>(where);
	if (lost)
		return ILLEGAL_ADDRESS;
	if (s->broken)
		return CAPTURE_INVALIDATED;
	if (s->captured != nullptr)
		return s->captured->push_back(t), SUCCESS;
	s->queue.push_back(t);
	s->put++;
	return SUCCESS;
}
// work does the first tasks of a stream.
static int work(stream *s, size_t until)
{
	while (!lost && s->done < until) {
		task t = std::move(s->queue.front());
		s->queue.pop_front();
		s->done++;
		t();
	}
	return lost ? ILLEGAL_ADDRESS : SUCCESS;
}
static void workAll()
{
	for (auto *s : streams)
		work(s, s->put);
}

// inside reports whether size bytes at p are within one allocation.
static bool inside(devptr p, size_t size)
{
	auto a = allocations.upper_bound(p);
	return a != allocations.begin() && (--a, p + size <= a->first + a->second);
}

template <class... A, size_t... I> static task unpack(void (*f)(A...), void **arguments, std::index_sequence<I...>)
{
	std::tuple<A...> values;
	((void)memcpy(&std::get<I>(values), arguments[I], sizeof(A)), ...);
	return [=] { std::apply(f, values); };
}
struct function {
	bool barriers;
	std::function<task(void **)> bound;
};
template <class... A> static function of(void (*f)(A...), bool barriers = false)
{
	return {barriers, [=](void **arguments) { return unpack(f, arguments, std::index_sequence_for<A...>()); }};
}
static std::map<std::string, function> functions = {
	{"images_float", of(images_float)}, {"images_bytes", of(images_bytes)}, {"maps_float", of(maps_float)},
	{"pool_vector", of(pool_vector, true)}, {"pool_scalar", of(pool_scalar, true)}, {"linear_row", of(linear_row, true)}, {"linear_rows", of(linear_rows, true)},
	{"gate_vector", of(gate_vector)}, {"gate_scalar", of(gate_scalar)}, {"scale_add_vector", of(scale_add_vector)}, {"scale_add_scalar", of(scale_add_scalar)},
	{"finish_vector", of(finish_vector)}, {"finish_scalar", of(finish_scalar)},
	{"check_vector", of(check_vector)}, {"check_scalar", of(check_scalar)}, {"convolve", of(convolve)},
};

extern "C" {
int cuInit(unsigned) { return lost = false, launches = 0, SUCCESS; }
int cuGetErrorString(int status, const char **text)
{
	*text = status == OUT_OF_MEMORY ? "out of memory" : status == ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "error";
	return SUCCESS;
}
int cuDriverGetVersion(int *v) { return *v = 13000, SUCCESS; }
int cuDeviceGetCount(int *n) { return *n = 1, SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, SUCCESS; }
int cuDeviceGetName(char *name, int size, int) { return strncpy(name, "emulated", size), SUCCESS; }
int cuDeviceGetAttribute(int *v, int attribute, int) { return *v = attribute == 75 ? 9 : 0, SUCCESS; }
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = &allocations, SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int)
{
	for (; lost && !allocations.empty(); allocations.erase(allocations.begin()))
		free((void *)(uintptr_t)allocations.begin()->first);
	if (lost) {
		used = objects = 0; // the context takes all that was in it along
		streams.clear();
	}
	return SUCCESS;
}
int cuCtxSetCurrent(void *) { return lost ? ILLEGAL_ADDRESS : SUCCESS; } // any call may report the loss
// Living objects count as used memory, so that a leak of them shows.
int cuMemGetInfo_v2(size_t *free, size_t *all) { return *all = total(), *free = total() - used - objects, SUCCESS; }
int cuMemAlloc_v2(devptr *p, size_t size)
{
	if (lost)
		return ILLEGAL_ADDRESS;
	if (used + size > total())
		return OUT_OF_MEMORY;
	void *m = aligned_alloc(256, (size + GUARD + 255) / 256 * 256);
	memset(m, 0xff, size < size_t(64) << 20 ? size : 64 << 20); // NaN
	memset((char *)m + size, 0x55, GUARD);
	*p = (devptr)(uintptr_t)m;
	allocations[*p] = size;
	used += size;
	return SUCCESS;
}
int cuMemFree_v2(devptr p)
{
	workAll();
	auto a = allocations.find(p);
	if (a == allocations.end())
		return INVALID_VALUE;
	for (size_t i = 0; i < GUARD; i++)
		if (((char *)(uintptr_t)p)[a->second + i] != 0x55) {
			fprintf(stderr, "emulator: something was written behind an allocation of %zu bytes\n", a->second);
			abort();
		}
	used -= a->second;
	allocations.erase(a);
	free((void *)(uintptr_t)p);
	return SUCCESS;
}
int cuMemHostAlloc(void **p, size_t size, unsigned) { return objects++, *p = malloc(size), SUCCESS; }
int cuMemFreeHost(void *p) { return workAll(), objects--, free(p), SUCCESS; }
int cuMemcpyHtoDAsync_v2(devptr dst, const void *src, size_t size, void *s)
{
	return inside(dst, size) ? put(s, [=] { memcpy((void *)(uintptr_t)dst, src, size); }) : INVALID_VALUE;
}
int cuMemcpyDtoHAsync_v2(void *dst, devptr src, size_t size, void *s)
{
	return inside(src, size) ? put(s, [=] { memcpy(dst, (void *)(uintptr_t)src, size); }) : INVALID_VALUE;
}
int cuMemsetD8Async(devptr dst, unsigned char value, size_t size, void *s)
{
	return inside(dst, size) ? put(s, [=] { memset((void *)(uintptr_t)dst, value, size); }) : INVALID_VALUE;
}
int cuStreamCreate(void **s, unsigned) { return objects++, *s = *streams.insert(new stream).first, SUCCESS; }
int cuStreamDestroy_v2(void *where)
{
	auto *s = static_cast<stream *>(where);
	work(s, s->put);
	return objects--, streams.erase(s), delete s, SUCCESS;
}
int cuStreamWaitEvent(void *s, void *e, unsigned)
{
	event now = *static_cast<event *>(e);
	return put(s, [=] { if (now.on != nullptr) work(now.on, now.at); });
}
int cuStreamSynchronize(void *s) { return work(static_cast<stream *>(s), static_cast<stream *>(s)->put); }
int cuStreamBeginCapture_v2(void *s, int) { return static_cast<stream *>(s)->captured = new std::vector<task>, SUCCESS; }
int cuStreamEndCapture(void *s, void **graph)
{
	auto *captured = std::exchange(static_cast<stream *>(s)->captured, nullptr);
	if (std::exchange(static_cast<stream *>(s)->broken, false)) {
		delete captured;
		return *graph = nullptr, CAPTURE_INVALIDATED;
	}
	*graph = captured;
	objects++;
	return lost ? ILLEGAL_ADDRESS : SUCCESS;
}
int cuGraphInstantiateWithFlags(void **exec, void *captured, unsigned long long)
{
	return objects++, *exec = new graph{*static_cast<std::vector<task> *>(captured)}, SUCCESS;
}
int cuGraphLaunch(void *exec, void *s)
{
	auto *g = static_cast<graph *>(exec);
	g->queued++;
	return put(s, [=] {
		g->queued--;
		for (auto &t : g->tasks)
			t();
	});
}
int cuGraphExecDestroy(void *exec)
{
	auto *g = static_cast<graph *>(exec);
	if (g->queued > 0 && !lost) {
		fprintf(stderr, "emulator: a graph is destroyed before it has run\n");
		abort();
	}
	return objects--, delete g, SUCCESS;
}
int cuGraphDestroy(void *graph) { return objects--, delete static_cast<std::vector<task> *>(graph), SUCCESS; }
int cuEventCreate(void **e, unsigned) { return objects++, *e = new event, SUCCESS; }
int cuEventDestroy_v2(void *e) { return workAll(), objects--, delete static_cast<event *>(e), SUCCESS; }
int cuEventRecord(void *where, void *s)
{
	auto *e = static_cast<event *>(where);
	int status = put(s, [=] { e->time = elapsed; });
	return e->on = static_cast<stream *>(s), e->at = e->on->put, status;
}
int cuEventSynchronize(void *e) { return static_cast<event *>(e)->on == nullptr ? SUCCESS : work(static_cast<event *>(e)->on, static_cast<event *>(e)->at); }
int cuEventElapsedTime(float *ms, void *from, void *to)
{
	return *ms = (static_cast<event *>(to)->time - static_cast<event *>(from)->time) / 1e3, SUCCESS;
}
int cuModuleLoadData(void **module, const void *) { return objects++, *module = new int, SUCCESS; }
int cuModuleUnload(void *module) { return objects--, delete static_cast<int *>(module), SUCCESS; }
int cuModuleGetFunction(void **f, void *, const char *name)
{
	auto found = functions.find(name);
	return found == functions.end() ? 500 : (*f = &found->second, SUCCESS);
}
int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, void *s, void **arguments, void **)
{
	auto *kernel = static_cast<function *>(f);
	if (gx * gy * gz == 0 || gz != 1 || bz != 1 || bx * by > 1024)
		return INVALID_VALUE;
	task bound = kernel->bound(arguments);
	return put(s, [=] {
		elapsed += KERNEL_COST;
		if (++launches > long(number("EMULATED_LOSS", 1 << 30)))
			lost = true;
		else
			launch({gx, gy, 1}, {bx, by, 1}, kernel->barriers, bound);
	});
}
}

#include "emulated_cudnn.h"

#else

extern "C" {
// NVRTC
const char *nvrtcGetErrorString(int) { return "error"; }
int nvrtcVersion(int *major, int *minor) { return *major = 13, *minor = 0, 0; }
int nvrtcCreateProgram(void **p, const char *, const char *, int, const char *const *, const char *const *) { return *p = malloc(1), 0; }
int nvrtcDestroyProgram(void **p) { return free(*p), 0; }
int nvrtcCompileProgram(void *, int, const char *const *) { return 0; }
int nvrtcGetProgramLogSize(void *, size_t *n) { return *n = 0, 0; }
int nvrtcGetProgramLog(void *, char *) { return 0; }
int nvrtcGetCUBINSize(void *, size_t *n) { return *n = 1, 0; }
int nvrtcGetCUBIN(void *, char *) { return 0; }

// cuDNN
size_t cudnnGetVersion() { return 90100; }
const char *cudnnGetErrorString(int) { return "refused"; }
void cudnnGetLastErrorString(char *text, size_t) { *text = 0; }
int cudnnCreate(void **handle) { return *handle = malloc(1), 0; }
int cudnnDestroy(void *handle) { return free(handle), 0; }
int cudnnSetStream(void *, void *) { return 0; }
#define REFUSED(name) int name() { return 3000; }
REFUSED(cudnnBackendCreateDescriptor) REFUSED(cudnnBackendDestroyDescriptor) REFUSED(cudnnBackendFinalize) REFUSED(cudnnBackendSetAttribute)
REFUSED(cudnnBackendGetAttribute) REFUSED(cudnnBackendExecute) REFUSED(cudnnCreateTensorDescriptor) REFUSED(cudnnDestroyTensorDescriptor)
REFUSED(cudnnSetTensor4dDescriptor) REFUSED(cudnnCreateFilterDescriptor) REFUSED(cudnnDestroyFilterDescriptor) REFUSED(cudnnSetFilter4dDescriptor)
REFUSED(cudnnCreateConvolutionDescriptor) REFUSED(cudnnDestroyConvolutionDescriptor) REFUSED(cudnnSetConvolution2dDescriptor)
REFUSED(cudnnSetConvolutionGroupCount) REFUSED(cudnnSetConvolutionMathType) REFUSED(cudnnCreateActivationDescriptor)
REFUSED(cudnnDestroyActivationDescriptor) REFUSED(cudnnSetActivationDescriptor) REFUSED(cudnnGetConvolutionForwardWorkspaceSize)
REFUSED(cudnnConvolutionBiasActivationForward)
}

#endif
