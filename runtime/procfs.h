/*
 * A procfs that no container can have prepared: mounted privately, or the host's own, and verified.
 *
 * Labels, kernel parameters and everything else that init writes below /proc goes through a descriptor of
 * this; the container's /proc is never used, and no file is reached across another mount.
 */
#ifndef CARREL_RUNTIME_PROCFS_H
#define CARREL_RUNTIME_PROCFS_H

struct err;

/* A detached procfs of the caller's pid namespace. Where the kernel refuses a new one (in a user namespace, when
 * the host's is partly covered) the /proc that is mounted now: to be called before the container's root is
 * entered. Either is verified to be the root directory of a procfs. */
int procfs_open(struct err *e);

/* Opens below it: no magic links, no mounts crossed, and the file must be procfs' own. */
int procfs_open_file(int proc_fd, const char *path, int oflags, struct err *e);
/* One write(2) of the whole text. */
int procfs_write(int proc_fd, const char *path, const char *text, struct err *e);

#endif
