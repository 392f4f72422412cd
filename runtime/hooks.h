/* Hooks: programs of the bundle's author, run with the container's state on stdin. */
#ifndef CARREL_RUNTIME_HOOKS_H
#define CARREL_RUNTIME_HOOKS_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_COUNT
};

struct hook {
	const char *path; /* absolute */
	const char *const *args, *const *env;
	int32_t timeout_s; /* 0: none */
};

struct hook_list {
	const struct hook *v;
	size_t n;
};

struct hooks_spec {
	struct hook_list kind[HOOK_COUNT];
};

const char *hook_kind_name(enum hook_kind k);
/* Runs them in order in the namespaces of the caller; state_json goes to stdin. The first failure ends the row:
 * "error running createRuntime hook #0: exit status 1, stderr: ...". */
int hooks_run(const struct hook_list *l, enum hook_kind k, const char *state_json,
	      struct err *e);
/* The same; a hook without an environment of its own has this one, instead of an empty one. */
int hooks_run_in(const struct hook_list *l, enum hook_kind k, const char *state_json,
		 char *const *env, struct err *e);

#endif
