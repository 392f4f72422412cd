/*
 * The sandbox's processes, and what they share: the loop, the janitor, shim.sock, the clocks.
 *
 *   table_exec ──► STARTING ──STARTED──► a session ──EXITED──► kept: until its exit was read and 10 seconds
 *                     └──FAILED──► told, forgotten             more, or 10 minutes, or KEPT_MAX came after it
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
#include "shim/exec_order.h"
#include "shim/exitinfo.h"
#include "shim/scan_link.h"
#include "shim/session.h"
#include "shim/timers.h"

struct err;
struct orders;
struct table_start;

struct table {
	struct loop *loop;
	const struct orders *orders; /* borrowed */
	int talk_fd;		     /* to the janitor */
	struct loop_io talk_io;
	bool janitor_gone;
	bool paused;
	enum table_freeze {
		FREEZE_NONE,
		FREEZE_PAUSING,
		FREEZE_RESUMING
	} freeze;	     /* asked for */
	bool upgrading;	     /* the janitor was asked to become another program */
	bool handover_asked; /* ... and asks for this: the loop was stopped for it */
	bool ending;	     /* END was sent, for this reason */
	enum end_reason end_reason;
	bool gone; /* ENDED came */
	bool drained;
	char exit_json[3072];

	struct session *sessions;   /* by number; the first is process 1 */
	struct table_start *starts; /* that the janitor has not answered */
	uint32_t next_process;
	uint32_t n_running,
		n_kept; /* besides process 1: running and starting; ended and not forgotten */
	uint32_t n_clients, next_client;
	bool ever_attached;

	struct scan_link scan;
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
	int recording_fd;	  /* 0 or -1: process 1 is not recorded */
	int scan_fd, scan_log_fd; /* 0 or -1: under no policy; they become the table's */
	uint32_t scan_format;	  /* of the state that the scanner can give */
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

/* ---- more processes ---- */

struct table_exec {
	struct exec_order order;
	const char *tag;     /* the asker's name for it; NULL: "" */
	uint64_t timeout_ms; /* then its group is killed; 0: never */
	bool input;	     /* its standard input is open; a terminal's always is */
};

/* Asks the janitor. Its answer goes to control_started with this number. *code as session_attach. */
int table_exec(struct table *t, const struct table_exec *x, uint32_t *number, const char **code,
	       struct err *e);
/* To the process's group (process 1: to itself, whose init passes it on), or its terminal's foreground. */
int table_signal(struct table *t, const struct session *s, int sig, bool foreground,
		 struct err *e);
/* Hangs up, and kills what has not ended soon after. Not for process 1. */
void table_hang_up(struct table *t, struct session *s);
/* Its exit was told: it is forgotten soon. Not for process 1. */
void table_exit_read(struct table *t, struct session *s);

/* Asks the janitor; its answer goes to control_frozen. Not while a process is starting: it would hang in its start. */
int table_freeze(struct table *t, bool freeze, const char **code, struct err *e);

/* Asks the janitor to become `program` (NULL: the file that it was started from); its answer, or the new program's, goes to
 * control_upgraded. force: also when it is the same build. *code as session_attach. */
int table_upgrade(struct table *t, const char *program, bool force, const char **code,
		  struct err *e);

/* Asks the janitor to end everything; only the first reason counts. */
void table_end(struct table *t, enum end_reason reason);
/* Something went wrong that ends everything with the reason `error`. */
void table_fail(struct table *t, const char *why);
void table_notice(struct table *t, const char *kind, uint64_t seconds_left);

/* ---- for session.c and session_io.c ---- */

void table_client_came(struct table *t);
void table_client_went(struct table *t);
/* This process's output has ended. */
void table_drained(struct table *t, struct session *s);
/* Something moved: whether all is done, when the clock is to come. */
void table_look(struct table *t);

/* ---- for another program (shim/handover.h) ---- */

struct pack;
struct unpack;
/* Refused while something is under way that has half of its state with the janitor; the error's sentence says what. */
int table_may_hand_over(const struct table *t, const char **code, struct err *e);
void table_save(const struct table *t, struct pack *p);
/* spec: the loop, the orders, the janitor. It does nothing before table_go_on. After an error table_fini. */
int table_restore(struct table *t, const struct table_spec *spec, struct unpack *u);
int table_go_on(struct table *t, struct err *e);
/* From now on what the janitor says is heard. */
int table_hear(struct table *t, struct err *e);
/* The janitor is what it was, and why. */
struct talk_msg;
void table_upgraded(struct table *t, const struct talk_msg *m);

#endif
