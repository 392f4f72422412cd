/*
 * The front's connection to its scanner: messages out, as far as the socket takes them, and the answers to the sessions.
 *
 * It fails closed: when the scanner is gone, or says what it must not, nothing that it has not passed ever goes on; the
 * sandbox ends with the reason `error`.
 */
#ifndef CARREL_SHIM_SCAN_LINK_H
#define CARREL_SHIM_SCAN_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "shim/scan_renew.h"

struct err;
struct scan_found;
struct scan_head;
struct table;

enum {
	SCAN_LOG_BYTES = 256 * 1024,
	SCAN_QUEUE = 64 << 20, /* of every process three streams' SCAN_FLIGHT, and heads */
};

/* DIR/policy.jsonl: a line for each finding, which carrel-sessiond takes over. Beyond SCAN_LOG_BYTES they are counted. */
struct scan_log {
	int fd;
	uint64_t size, dropped;
};

struct scan_link {
	bool on;     /* this sandbox is under a policy */
	bool broken; /* and its scanner is gone */
	int fd;
	uint32_t format; /* of the state that it gives to another one; 0: it gives none */
	struct scan_renew renew;
	struct table *table;
	struct loop_io io;
	struct buf queue; /* messages that the socket did not take, each behind its length */
	void *room;
	struct scan_log log;
};

/* Blocks until the scanner is ready, 15 seconds at most. Before there is a loop. fd 0 or -1: there is none. */
int scan_link_await(int fd, uint32_t *format, struct err *e);

/* fd 0 or -1: no policy. The descriptors become the link's. */
int scan_link_init(struct scan_link *l, struct table *t, int fd, uint32_t format, int log_fd,
		   struct err *e);
void scan_link_fini(struct scan_link *l);

/* Queues what the socket does not take now. How much that can be is its callers' to bound (SCAN_FLIGHT). */
void scan_link_say(struct scan_link *l, const struct scan_head *head, const void *body);

/* ---- for scan_renew.c ---- */

/* Nothing goes on from here; the sandbox ends. */
void scan_link_fail(struct scan_link *l, const char *why);
/* What is queued is written as the socket takes it. */
void scan_link_watch(struct scan_link *l);
int scan_link_hear(struct scan_link *l, struct err *e);

/* For another program (shim/handover.h): the scanner is the janitor's child and goes on, with what it has been given. It does nothing
 * before scan_link_go_on. */
struct pack;
struct unpack;
void scan_link_save(const struct scan_link *l, struct pack *p);
/* on: whether the orders say so. */
void scan_link_restore(struct scan_link *l, struct table *t, bool on, struct unpack *u);
int scan_link_go_on(struct scan_link *l, struct err *e);

#endif
