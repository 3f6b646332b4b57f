// Package amxtest executes Intel's AMX instructions on processors that lack
// them, so that tests can run machine code that uses them. It is for tests
// only.
//
// Install sets a handler for SIGILL, the signal that a processor without AMX
// answers its instructions with. The handler decodes the instruction, does what
// the manual (Intel 64 and IA-32 Architectures Software Developer's Manual,
// volumes 1, chapter 18, and 2) says on a set of tiles that each thread has, and
// goes on behind it. These are known: LDTILECFG, STTILECFG, TILERELEASE,
// TILEZERO, TILELOADD, TILELOADDT1, TILESTORED and TDPBF16PS. Anything else, and
// what the manual answers with an exception, goes to the handler that was there
// before, which is Go's: the program ends with a trace.
//
// A processor with AMX executes the instructions itself once the process may use
// them, and the emulator has nothing to do.
package amxtest
