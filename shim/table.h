/*
 * The sandbox's processes, and what they share: the loop, the janitor, shim.sock, the clocks.
 *
 * Process 1 is the sandbox: it comes with the table, and its end is the end of all. When it has ended, the
 * table lives until every process's output is in its history, every client has been told, and the janitor
 * has said that everything is gone.
 */
#ifndef CARREL_SHIM_TABLE_H
#define CARREL_SHIM_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "shim/control.h"
#include "shim/exitinfo.h"
#include "shim/session.h"
#include "shim/timers.h"

struct err;
struct orders;

struct table {
	struct loop *loop;
	const struct orders *orders; /* borrowed */
	int talk_fd;		     /* to the janitor */
	struct loop_io talk_io;
	bool janitor_gone;
	bool ending; /* END was sent */
	bool gone;   /* ENDED came */
	bool drained;
	char exit_json[2048];

	struct session *sessions; /* by number; the first is process 1 */
	uint32_t n_clients, next_client;
	bool ever_attached;

	struct timers timers;
	struct control control;
	struct loop_timer tick;
	uint64_t pinged_ms;
};

/* pid and descriptors of process 1 as the janitor's STARTED gives them; they become the table's. */
struct table_spec {
	struct loop *loop;
	const struct orders *orders;
	int talk_fd, listen_fd;
	int32_t pid;
	int fds[2];
};

int table_init(struct table *t, const struct table_spec *spec, struct err *e);
void table_fini(struct table *t);

static inline struct session *table_first(const struct table *t)
{
	return t->sessions;
}
/* NULL: no process has this number, or it is forgotten. */
struct session *table_find(const struct table *t, uint32_t number);

/* Asks the janitor to end everything; only the first reason counts. */
void table_end(struct table *t, enum end_reason reason);
int table_signal(struct table *t, int sig, struct err *e);
void table_notice(struct table *t, const char *kind, uint64_t seconds_left);

/* ---- for session.c and session_io.c ---- */

void table_client_came(struct table *t);
void table_client_went(struct table *t);
/* A process's output has ended. */
void table_drained(struct table *t);
/* Something moved: whether all is done, when the clock is to come. */
void table_look(struct table *t);

#endif
