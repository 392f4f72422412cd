/*
 * Where a mount goes: resolved inside the container's root, made when missing, refused where it would lie.
 */
#ifndef CARREL_RUNTIME_MOUNT_TARGET_H
#define CARREL_RUNTIME_MOUNT_TARGET_H

#include <stdbool.h>

struct err;
struct mount_spec;

/* An O_PATH descriptor of the target, a directory or a file. Refused are the root itself; a symlink in place
 * of /dev, /proc, /sys or of what a proc or sysfs is mounted on; and everything inside a procfs that is not in
 * a short list, as well as anything but a procfs on /proc (the container's programs and our own checks rely on
 * it). src_fd: a bind's source, else -1. */
int mount_target_open(const struct mount_spec *m, int root_fd, bool directory, int src_fd,
		      struct err *e);

#endif
