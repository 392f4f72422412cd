/*
 * The parent of the sandboxes' cgroups: removed when it is empty, so that a stopped daemon or an
 * ended `carrel run` leaves nothing.
 */
#ifndef CARREL_SESSIOND_CGROUP_PARENT_H
#define CARREL_SESSIOND_CGROUP_PARENT_H

/* Where nothing else was asked for. */
#define CGROUP_PARENT "/carrel"

/* path: "/carrel", below every cgroup mount of this mount namespace. One that still has children, or was
 * never made, stays as it is; nothing else is touched. */
void cgroup_parent_remove(const char *path);

#endif
