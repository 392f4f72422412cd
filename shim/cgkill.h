/*
 * Emptying and removing a cgroup that no runtime knows of any more.
 */
#ifndef CARREL_SHIM_CGKILL_H
#define CARREL_SHIM_CGKILL_H

struct cgmount;
struct err;

/* Kills every process in the cgroup and below, waits for them, removes the directories. Success when
 * there is no such cgroup in this hierarchy. */
int cgkill_remove(const struct cgmount *mount, const char *path, struct err *e);

#endif
