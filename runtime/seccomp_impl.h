/*
 * Between the steps of compiling a system call filter; nobody outside seccomp*.c and its tests includes it.
 *
 *   filter_spec --(seccomp_rules.c: names become numbers)--> filter_table for each architecture
 *               --(seccomp_compile.c: numbers become a tree)--> filter_program
 */
#ifndef CARREL_RUNTIME_SECCOMP_IMPL_H
#define CARREL_RUNTIME_SECCOMP_IMPL_H

#include "runtime/seccomp.h"

/* All conditions hold: the action. No conditions: it always applies. */
struct filter_clause {
	uint32_t action;
	uint32_t n_args;
	const struct filter_arg *args; /* borrowed from the spec, or the table's own */
};

/* The system calls [from, next run's from) have one verdict: the first clause that holds; the last one of
 * every run has no conditions. */
struct filter_run {
	uint32_t from;
	uint32_t first, n; /* in the table's clauses */
	bool narrow;	   /* arguments are 32 bits wide */
};

/* One value of seccomp_data.arch. x32 shares its value with x86_64 and is told by bit 30 of the number. */
struct filter_table {
	uint32_t audit_arch;
	struct filter_run *runs; /* by from; runs[0].from is 0 */
	size_t n_runs;
	struct filter_clause *clauses;
	size_t n_clauses;
	struct filter_arg *own_args; /* for conditions that no rule spells out (socketcall) */
	size_t n_own_args;
};

struct filter_tables {
	struct filter_table *v; /* the native one first */
	size_t n;
};

enum { FILTER_X32_BIT = 0x40000000 };

/* Whether a is the stricter of two actions; the kernel's own order. */
bool filter_stricter(uint32_t a, uint32_t b);
/* What the spec cannot mean: NOTIFY as default or of write, a listener that nobody named. */
int filter_check(const struct filter_spec *s, bool *notifies, struct err *e);

int filter_tables_build(const struct filter_spec *s, struct filter_tables *out, struct err *e);
void filter_tables_fini(struct filter_tables *t);
/* The number of a name on an architecture; -1: not known by that name anywhere, other negative values are
 * libseccomp's for calls that the architecture does not have or multiplexes. */
int filter_syscall_number(uint32_t arch, const char *name);

int filter_generate(const struct filter_tables *t, struct filter_program *out, struct err *e);

/* Returns 1 and the program when the cache holds exactly this profile and may be trusted, else 0. */
int filter_cache_read(int cache_fd, const struct filter_spec *s, struct filter_program *out);
/* Failing to write is no failure: the next start compiles again. */
void filter_cache_write(int cache_fd, const struct filter_spec *s,
			const struct filter_program *p);

#endif
