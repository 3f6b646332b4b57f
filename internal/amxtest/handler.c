//go:build cgo && linux && amd64

#define _GNU_SOURCE // REG_RAX

#include "emulator.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

static _Thread_local struct amx_state thread_state;

static struct sigaction previous;
static int64_t count, configured;

// The general registers in the order of their numbers, and RIP.
static const int numbered[17] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8,
	REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
};

// emulate executes the instruction at which the thread stopped.
static bool emulate(ucontext_t *context)
{
	greg_t *gregs = context->uc_mcontext.gregs;
	uint64_t registers[17];
	for (int i = 0; i < 17; i++)
		registers[i] = (uint64_t)gregs[numbered[i]];
	struct amx_instruction in;
	if (amx_decode((const uint8_t *)registers[16], registers, &in) != AMX_DONE)
		return false;
	int before = thread_state.configured;
	if (amx_execute(&thread_state, &in) != AMX_DONE)
		return false;
	__atomic_fetch_add(&configured, thread_state.configured - before, __ATOMIC_RELAXED);
	__atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
	gregs[REG_RIP] += in.length;
	return true;
}

static void handle(int number, siginfo_t *info, void *context)
{
	// A positive code is the kernel's: not a signal that somebody sent.
	if (info->si_code > 0 && emulate(context))
		return;
	if (previous.sa_flags & SA_SIGINFO)
		previous.sa_sigaction(number, info, context);
	else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN)
		sigaction(number, &previous, NULL); // the instruction fails again
	else
		previous.sa_handler(number);
}

int amx_install(void)
{
	if (sigaction(SIGILL, NULL, &previous) != 0)
		return errno;
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART};
	// Go's preemption and profiling signals wait for the end of the handler, which
	// is no place that Go knows. Those of a fault in it do not.
	sigfillset(&action.sa_mask);
	static const int faults[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGABRT};
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(&action.sa_mask, faults[i]);
	return sigaction(SIGILL, &action, NULL) == 0 ? 0 : errno;
}

int amx_restore(void)
{
	return sigaction(SIGILL, &previous, NULL) == 0 ? 0 : errno;
}

int64_t amx_count(void)
{
	return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

int64_t amx_configured(void)
{
	return __atomic_load_n(&configured, __ATOMIC_RELAXED);
}
