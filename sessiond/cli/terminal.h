/*
 * The client's side of carrel.v1: standard input goes in, output comes out, whatever link carries it.
 *
 * Output is acknowledged when it was written, so that a slow reader of ours slows the program down and
 * nothing piles up here. Standard input and output are never made non-blocking: they may be shared with
 * the shell that started us.
 */
#ifndef CARREL_SESSIOND_CLI_TERMINAL_H
#define CARREL_SESSIOND_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#include "sessiond/cli/link.h"

struct err;
struct loop;
struct terminal;

struct terminal_end {
	bool detached;	 /* by its keys */
	bool exited;	 /* EXIT came: the three below are known */
	char reason[16]; /* "exited", "signalled", "oom", ... */
	int code, signal;
	unsigned close_code; /* 0: the connection broke */
	char close_reason[128];
	uint64_t lost;	 /* bytes of output that had left the history */
	char error[256]; /* of our own input or output, "" none */
};

/* fn: once, from the loop: the connection has ended and all output is written, or it was detached. */
typedef void (*terminal_fn)(void *arg);

/* raw: standard input is a terminal and the program has one: raw mode, detach keys, sizes. viewer: nothing is sent. */
int terminal_new(struct loop *loop, bool raw, bool viewer, terminal_fn fn, void *arg,
		 struct terminal **out, struct err *e);
/* What a link is to be given. */
struct link_receiver terminal_receiver(struct terminal *t);
/* Begins with the link, which becomes the terminal's. */
int terminal_start(struct terminal *t, struct link *link, struct err *e);
/* Ends it as if the connection had broken, for a signal; fn is called from the loop. */
void terminal_stop(struct terminal *t);
const struct terminal_end *terminal_ended(const struct terminal *t);
/* Restores the terminal's mode. Accepts NULL. */
void terminal_free(struct terminal *t);

#endif
