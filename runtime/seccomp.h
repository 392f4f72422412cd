/*
 * The system call filter: from the OCI profile to a BPF program that loads fast.
 *
 * Names and conditions are resolved by libseccomp; equal verdicts of neighbouring numbers are merged and
 * searched by a balanced tree (a flat list of a profile costs the kernel ten times as much at every start). The
 * program is cached by the hash of the canonical profile; an entry carries the whole canonical profile, so
 * that a collision or a stale file is recognised, and is used only from a directory that root alone writes.
 */
#ifndef CARREL_RUNTIME_SECCOMP_H
#define CARREL_RUNTIME_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct filter_arg {
	uint32_t index;
	uint64_t value, value_two;
	int op; /* enum scmp_compare */
};

struct filter_rule {
	const char *const *names; /* NULL-terminated */
	uint32_t action;	  /* SCMP_ACT_* with errno folded in */
	const struct filter_arg *args;
	size_t n_args;
};

/* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, since Linux 5.19; older headers lack the name. */
#define FILTER_FLAG_WAIT_KILLABLE (1u << 5)
/* What is loaded with a profile that says nothing about flags, as the other runtimes do. */
#define FILTER_FLAGS_DEFAULT (1u << 2) /* SECCOMP_FILTER_FLAG_SPEC_ALLOW */

struct filter_spec {
	bool set; /* linux.seccomp was given */
	uint32_t default_action;
	const uint32_t *arches; /* SCMP_ARCH_*; n 0: native only */
	size_t n_arches;
	unsigned flags; /* SECCOMP_FILTER_FLAG_* */
	const struct filter_rule *rules;
	size_t n_rules;
	const char *listener_path, *listener_metadata;
	bool all_known; /* a name that exists nowhere is an error */
};

struct sock_filter;
struct filter_program {
	struct sock_filter *insns; /* malloc'ed */
	uint16_t n;
	unsigned flags;
	bool notifies; /* a rule returns USER_NOTIF: loading yields a listener */
};
void filter_program_fini(struct filter_program *p);

int filter_action_parse(const char *name, bool has_errno, uint32_t errno_ret, uint32_t *out,
			struct err *e);
int filter_arch_parse(const char *name, uint32_t *out, struct err *e);
int filter_op_parse(const char *name, int *out, struct err *e);
int filter_flag_parse(const char *name, unsigned *out, struct err *e);
/* libseccomp's, as "2.5.4"; the caller frees it. */
char *filter_library_version(void);
const char *const *filter_action_names(void);
const char *const *filter_op_names(void);
const char *const *filter_arch_names(void);
const char *const *filter_flag_names(void);
/* The flags that the running kernel knows. */
unsigned filter_flags_supported(void);

/* cache_fd: a directory, or -1 for none. Names that exist on no listed architecture are left out, as runc
 * does, unless the rule is stricter than the default action: then the filter would silently be weaker. */
int filter_compile(const struct filter_spec *s, int cache_fd, struct filter_program *out,
		   struct err *e);
/* seccomp(2). The caller has no_new_privs or CAP_SYS_ADMIN. *listener_fd is the listener when the program
 * notifies (close-on-exec, the caller's), else -1. */
int filter_load(const struct filter_program *p, int *listener_fd, struct err *e);

#endif
