/*
 * Everything that a sandbox may leave behind, and its removal. Each step succeeds when there is nothing
 * to do, so that the janitor, a later sweep and a sweep after that one may all run it.
 */
#ifndef CARREL_SHIM_SWEEP_H
#define CARREL_SHIM_SWEEP_H

struct buf;
struct err;
struct orders;

/* `runtime delete --force`, and the cgroup of config.json when the runtime knows nothing of it (it was killed
 * between making the cgroup and writing that down). Needs the bundle. */
int sweep_runtime(const struct orders *o, int dir_fd, struct err *e);
/* Only the cgroup: kills what is in it, removes it in every hierarchy. */
int sweep_cgroup(const struct orders *o, int dir_fd, struct err *e);
/* linux.cgroupsPath of the bundle, when it is this sandbox's own: malloc'ed. NULL: it has none, or there is no bundle. */
char *sweep_own_cgroup(const struct orders *o, int dir_fd);
/* The root filesystem's mount, and DIR/bundle. */
int sweep_bundle(int dir_fd, struct err *e);
int sweep_socket(int dir_fd, struct err *e);
/* The uid slot, when it still names this sandbox. */
int sweep_slot(const struct orders *o, struct err *e);
/* The whole directory. */
int sweep_dir(const char *dir, struct err *e);

/* `carrel-shim --dir DIR --sweep`: for a sandbox whose shim is dead; EBUSY in e->code when it lives. */
int sweep_dead(const char *dir, struct err *e);

#endif
