/*
 * Keeps the program's file out of a container's reach.
 *
 * A process that enters a container can be made to execute /proc/self/exe there; what it finds must not be
 * the host's file, or a root inside could write to it once we are gone. So create, run and exec execute themselves
 * again from a place that cannot be written: a detached read-only mount of the file, whose last handle is closed by
 * that very exec and which nobody can name or change afterwards, or, where mounts are not ours to make, a sealed copy
 * in memory. A program that already runs from such a place (or from a read-only mount) goes on at once.
 */
#ifndef CARREL_RUNTIME_SEAL_H
#define CARREL_RUNTIME_SEAL_H

struct err;

/* 0: sealed already. Does not return when it executes the program again. */
int seal_self(char *const *argv, struct err *e);

#endif
