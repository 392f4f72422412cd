/*
 * Labels of security modules that take effect at exec, through a procfs that is verified.
 */
#ifndef CARREL_RUNTIME_LABEL_H
#define CARREL_RUNTIME_LABEL_H

struct err;

/* Whether the modules that these need are active on the running kernel. Reads the host's /sys: before the container's
 * root is entered. */
int label_check(const char *apparmor, const char *selinux, struct err *e);

/* The next exec of this thread runs under the profile (AppArmor) or label (SELinux); either may be NULL. A
 * module that is not active is an error: what was asked for would silently not be there. proc_fd: procfs_open. */
int label_set_exec(int proc_fd, const char *apparmor, const char *selinux, struct err *e);

#endif
