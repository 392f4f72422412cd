/*
 * Intel RDT: a share of the last-level cache and of memory bandwidth, through the kernel's resctrl filesystem.
 *
 * A class is a directory of resctrl; what may be used stands in its schemata, who uses it in its tasks. A container without
 * closID gets a class of its own that is named by its id and goes with it; a class that closID names is shared
 * and stays. A monitoring group is the container's own in both cases.
 */
#ifndef CARREL_RUNTIME_RDT_H
#define CARREL_RUNTIME_RDT_H

#include <stdbool.h>

struct err;

struct rdt_spec {
	bool set;		       /* linux.intelRdt was given */
	const char *clos_id;	       /* or NULL */
	const char *const *schemata;   /* NULL-terminated lines, or NULL */
	const char *l3_cache, *mem_bw; /* one line each, or NULL */
	bool monitoring;
};

/* Where a container is, as the state keeps it; the strings are borrowed. */
struct rdt_place {
	bool set;
	const char *clos; /* the class: one name below resctrl's root */
	const char *id;	  /* of the container */
	bool own;	  /* the class is the container's: made for it, removed with it */
	bool monitoring;  /* mon_groups/ID in the class */
};

enum { RDT_TASKS = 2 }; /* of the class and of the monitoring group */

/* What cannot be a class or a line of schemata, by field. */
int rdt_check(const struct rdt_spec *s, struct err *e);

/* Decides, before anything is made, what rdt_make will make: the caller writes it down first. Without resctrl on
 * this host, or without the class that closID names and nothing to make it from, it is an error. */
int rdt_plan(const struct rdt_spec *s, const char *id, struct rdt_place *out, struct err *e);
/* Makes what is planned and writes the schemata. tasks[]: as from rdt_open_tasks. What somebody else has made meanwhile
 * is an error, and struck out of *p: rdt_remove leaves it alone. */
int rdt_make(const struct rdt_spec *s, struct rdt_place *p, int tasks[RDT_TASKS],
	     struct err *e);

/* The tasks files, for rdt_join_self in a process that may not open them any more; FD_NONE where there is none. */
int rdt_open_tasks(const struct rdt_place *p, int tasks[RDT_TASKS], struct err *e);
/* The calling process, while it has one thread, and all its children to come. Closes the files. */
int rdt_join_self(int tasks[RDT_TASKS], struct err *e);

/* Other shares for a container that runs: update's --l3-cache-schema and --mem-bw-schema (NULL: as it was). A container
 * without linux.intelRdt (!p->set) has no class to change: an error. */
int rdt_update(const struct rdt_place *p, const char *l3_cache, const char *mem_bw,
	       struct err *e);

/* Removes the container's own class and monitoring group. What is not there is success, also when there is no resctrl. */
int rdt_remove(const struct rdt_place *p, struct err *e);

/* resctrl's root, verified (rdt_root.c; tests put their own in its place). ENOENT: this host has none. */
int rdt_root_open(struct err *e);

#endif
