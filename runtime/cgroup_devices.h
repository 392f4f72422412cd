/* The device rules of a container between the two ways to enforce them; for cgroup_devices*.c and tests. */
#ifndef CARREL_RUNTIME_CGROUP_DEVICES_H
#define CARREL_RUNTIME_CGROUP_DEVICES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/cgroup.h"

struct err;
struct bpf_insn;
struct cgroup_hier;

enum { DEVICE_RULES_MAX = 4096, DEVICE_RULE_INSNS = 9 };

/* Rules for 'b' and 'c' in order, the last match decides; where none matches, allow_all does. */
struct device_rules {
	struct cgroup_device *v; /* owned */
	size_t n;
	bool allow_all;
};

/* The container's whole list: the spec's, the standard ones, its own nodes. */
int device_rules_build(const struct cgroup_spec *s, struct device_rules *out, struct err *e);
void device_rules_fini(struct device_rules *t);

/* Into v1's form: afterwards every rule is an exception to allow_all and their order has no meaning. */
int device_rules_fold(struct device_rules *t, struct err *e);

/* One write to h's file for each rule of v1's form. */
int device_rules_write(const struct cgroup_hier *h, const char *file,
		       const struct device_rules *t, struct err *e);
/* The text of devices.list: what is allowed. allow_all: everything, less exceptions that the kernel does not tell. */
int device_rules_parse_v1(const char *text, struct device_rules *out, struct err *e);
/* From one list of what is allowed to another: *open is what to allow, *shut what to deny; both are the caller's. */
void device_rules_step(const struct device_rules *now, const struct device_rules *then,
		       struct device_rules *open, struct device_rules *shut);

/* Into a BPF_PROG_TYPE_CGROUP_DEVICE program: *out is malloc'ed. Returns the number of instructions. */
size_t device_rules_program(const struct device_rules *t, struct bpf_insn **out);
/* Loads and attaches it. `reused`: the cgroup was there before us and its old programs go. A rootless
 * caller who may not load programs does without: device nodes are then judged by their permissions. */
int device_rules_attach(const struct device_rules *t, int cgroup_fd, bool reused, bool rootless,
			struct err *e);

#endif
