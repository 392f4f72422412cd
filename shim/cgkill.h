/*
 * Emptying and removing a cgroup that no runtime knows of any more.
 */
#ifndef CARREL_SHIM_CGKILL_H
#define CARREL_SHIM_CGKILL_H

struct err;

/* Kills every process in the cgroup and below, waits for them, removes the directories: in each hierarchy that this mount namespace has. Success
 * where there is no such cgroup. */
int cgkill_remove_all(const char *path, struct err *e);

#endif
