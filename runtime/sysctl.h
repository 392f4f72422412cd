/* Namespaced kernel parameters: an allow-list of keys, values without tricks, a procfs that is verified. */
#ifndef CARREL_RUNTIME_SYSCTL_H
#define CARREL_RUNTIME_SYSCTL_H

#include <stddef.h>

struct err;
struct ns_spec;

struct sysctl_pair {
	const char *key, *value;
};

/* The key must belong to a namespace that the container has of its own (kernel.shm*, kernel.msg*, kernel.sem,
 * fs.mqueue.*: ipc; net.*: net; kernel.domainname / hostname: uts rules as runc). */
int sysctl_check(const struct sysctl_pair *pairs, size_t n, const struct ns_spec *ns,
		 struct err *e);
/* proc_fd: a procfs opened by fsopen and verified, not the container's mount. */
int sysctl_apply(const struct sysctl_pair *pairs, size_t n, int proc_fd, struct err *e);

#endif
