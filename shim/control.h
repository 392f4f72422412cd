/*
 * shim.sock: what the daemon and `carrel` ask of a shim. Requests and answers are in
 * docs/architecture.md; a table maps each `op` to its handler.
 */
#ifndef CARREL_SHIM_CONTROL_H
#define CARREL_SHIM_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

struct err;
struct session;
struct table;
struct json_doc;

enum {
	CONTROL_MAX_PEERS = 64,
	CONTROL_JSON_BYTES = 65536,
	CONTROL_MESSAGE_BYTES = 4 + CONTROL_JSON_BYTES + 65536,
};

struct control_peer {
	struct control_peer *next;
	struct control *control;
	struct loop_io io;
	struct loop_defer defer;
	int fd;
	bool waits_end, waits_exit; /* one answer is owed when everything is gone */
	uint32_t waits_start;	    /* or when this process runs or cannot run; 0: none */
	bool waits_freeze;	    /* or when it is paused, or resumed */
	uint32_t waits_process;	    /* or when this process has ended; 0: none */
	bool waits_upgrade;	    /* or when another program has taken over, or could not */
};

struct control {
	struct table *table;
	struct loop_io listen_io;
	struct loop_timer retry; /* accept found no descriptor free */
	int listen_fd;
	struct control_peer *peers;
	size_t n_peers;
	uint8_t *message; /* room for one; pages that no request ever filled cost nothing */
};

int control_init(struct control *c, struct table *t, int listen_fd, struct err *e);
void control_fini(struct control *c);

/* Everything is gone: answers those who wait for it. */
void control_ended(struct control *c);

/* That process runs, or cannot and why says so: answers who asked for it. */
void control_started(struct control *c, uint32_t number, int32_t pid, const struct err *why);
/* It is paused or resumed, or could not be: answers who asked. */
void control_frozen(struct control *c, const struct err *why);
/* A process besides the first has ended: answers those who wait. Returns whether one did. */
bool control_exited(struct control *c, const struct session *s);

/* For another program (shim/handover.h): the socket and its peers, with what each waits for. It does nothing before
 * control_go_on. */
struct pack;
struct unpack;
void control_save(const struct control *c, struct pack *p);
int control_restore(struct control *c, struct table *t, struct unpack *u);
int control_go_on(struct control *c, struct err *e);
/* Another program has taken over (changed), there was nothing to do, or it could not: answers who asked. */
void control_upgraded(struct control *c, const struct err *why, bool changed);

/* A request's parts, for the fuzzer and the tests as well: the length, the object, the bytes behind it. */
struct control_request {
	struct json_doc *doc; /* the caller's */
	const uint8_t *extra;
	size_t n_extra;
};
int control_parse(const uint8_t *p, size_t n, struct control_request *out, struct err *e);

#endif
