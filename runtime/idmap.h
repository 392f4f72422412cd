/* Uid and gid maps of user namespaces and of idmapped mounts. */
#ifndef CARREL_RUNTIME_IDMAP_H
#define CARREL_RUNTIME_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct idmap_row {
	uint32_t inside, outside, count;
};

struct idmap {
	const struct idmap_row *rows; /* borrowed from the spec */
	size_t n;
};

struct idmap_spec {
	struct idmap uid, gid;
};

/* No row is empty, overflows or overlaps another; at most 340 (the kernel's limit). */
int idmap_check(const struct idmap *m, const char *what, struct err *e);
/* The outside id, or 1 with *out = (uint32_t) -1 when it is not mapped. */
int idmap_to_outside(const struct idmap *m, uint32_t inside, uint32_t *out);

/* Writes uid_map, setgroups (deny only when unprivileged) and gid_map of the process. As an ordinary user
 * with more than one row it runs newuidmap/newgidmap. */
int idmap_write(pid_t pid, const struct idmap_spec *s, struct err *e);

/* A descriptor of a user namespace with these maps that no process lives in, for mount_setattr. */
int idmap_userns_fd(const struct idmap_spec *s, struct err *e);

#endif
