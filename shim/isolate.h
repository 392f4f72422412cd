/*
 * What the front gives up before the first byte of a client: stages, each one step.
 */
#ifndef CARREL_SHIM_ISOLATE_H
#define CARREL_SHIM_ISOLATE_H

#include <stddef.h>
#include <stdint.h>

struct err;

/* Closes every descriptor >= 3 but these. */
int isolate_descriptors(const int *keep, size_t n_keep, struct err *e);

int isolate_ignore_signals(const int *signals, size_t n, struct err *e);

/* Limits, not dumpable, no capabilities: without the filter, for who has one of his own. */
int isolate_drop(uint64_t file_bytes, struct err *e);

/* Afterwards this process can read, write, pass and close what it holds and what it is sent, and nothing
 * else: it opens no file, makes no socket, starts no program, sends no signal. A call outside the list
 * ends it with SIGSYS. Files that it writes stay below file_bytes, or below what the log may need. */
int isolate_rights(uint64_t file_bytes, struct err *e);

#endif
