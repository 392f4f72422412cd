/* On which NUMA nodes a process gets its memory (set_mempolicy(2)). */
#ifndef CARREL_RUNTIME_MEMPOLICY_H
#define CARREL_RUNTIME_MEMPOLICY_H

#include <stdbool.h>

struct err;

struct mempolicy_spec {
	bool set;
	int mode;	   /* MPOL_* */
	unsigned flags;	   /* MPOL_F_* */
	const char *nodes; /* a list that mempolicy_check has seen, or NULL */
};

/* "MPOL_BIND" -> its number; "MPOL_F_STATIC_NODES" -> its bit, into *flags. */
int mempolicy_mode_parse(const char *name, int *mode, struct err *e);
int mempolicy_flag_parse(const char *name, unsigned *flags, struct err *e);
/* NULL-terminated, for `features`. */
const char *const *mempolicy_mode_names(void);
const char *const *mempolicy_flag_names(void);

/* Nodes that are a list, as many as the mode takes, flags that go together. */
int mempolicy_check(const struct mempolicy_spec *s, struct err *e);
/* For the calling process and what it executes. */
int mempolicy_apply(const struct mempolicy_spec *s, struct err *e);

#endif
