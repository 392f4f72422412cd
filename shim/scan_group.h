/*
 * The scanner's processor time as its sandbox's: a control group beside the sandbox's own, with the same limit of time, whose time
 * is added to the sandbox's.
 *
 * Beside and not inside: what is in the sandbox's group the sandbox freezes with, is killed with before the last output
 * has passed, and is the kernel's to kill when the sandbox has no memory left. Its own processes see neither.
 * The group's name stands in DIR/scanner.cgroup before there is one, so that whoever sweeps finds it.
 */
#ifndef CARREL_SHIM_SCAN_GROUP_H
#define CARREL_SHIM_SCAN_GROUP_H

#include <stdint.h>
#include <sys/types.h>

struct err;

/* sandbox: its group's path as config.json has it. Where the kernel counts no time for the sandbox there is nothing to do. */
int scan_group_place(int dir_fd, const char *sandbox, pid_t scanner, struct err *e);
/* What it has used; 0 where there is none. */
uint64_t scan_group_cpu_ns(int dir_fd);
/* Kills what is in it. Success when there is none. */
int scan_group_remove(int dir_fd, struct err *e);

#endif
