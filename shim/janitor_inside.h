/*
 * The inside of the janitor, for janitor*.c and handover_*.c alone.
 */
#ifndef CARREL_SHIM_JANITOR_INSIDE_H
#define CARREL_SHIM_JANITOR_INSIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/child.h"
#include "base/volume.h"
#include "shim/exitinfo.h"
#include "shim/freezer.h"
#include "shim/janitor.h"
#include "shim/procs.h"
#include "shim/rootfs.h"
#include "shim/talk.h"

struct err;

struct janitor {
	const struct janitor_spec *spec;
	const struct orders *orders;
	int signal_fd, bundle_fd;
	struct rootfs rootfs;
	struct volume workspace; /* claimed while the sandbox lives */
	struct child front, init;
	bool front_alive;
	struct exit_cgroup cgroup;
	struct exit_info info;
	struct child_status status;
	struct procs procs;
	struct freezer freezer;
	int terminal_fd; /* process 1's, a copy; -1: it has none */
	void *room;	 /* for messages with a body */
	bool asked;	 /* somebody wants the end: info.reason is set */
	char error[256];
};

/* Nothing of a sandbox yet. After it, janitor_live can be called. */
int janitor_open(struct janitor *j, struct janitor_spec *spec, struct err *e);
/* Blocks until the front is confined and at work. */
int janitor_await_ready(struct janitor *j, struct err *e);
/* Until the sandbox is gone. */
void janitor_live(struct janitor *j);
/* One message of the front's. */
void janitor_take(struct janitor *j, const struct talk_msg *m, const void *body);
/* The front is dead: so is the sandbox, soon. */
void janitor_front_died(struct janitor *j);

/* janitor_end.c. The first process has ended: all that goes with it, until nothing is left. */
void janitor_finish(struct janitor *j);
/* A start that failed, at whatever step. */
void janitor_undo_start(struct janitor *j);

/* handover_janitor.c: UPGRADE came. Returns when it could not be, after it has told the front so. */
void janitor_upgrade(struct janitor *j, const struct talk_msg *m);

/* handover_state.c: what the janitor knows. The descriptors are borrowed, and j's. */
struct pack;
struct unpack;
void janitor_save(const struct janitor *j, struct pack *p);
/* Into one that was opened; spec gets its descriptors. */
void janitor_restore(struct janitor *j, struct janitor_spec *spec, struct unpack *u);

#endif
