/*
 * The requests of shim.sock, each a handler in one table; for control.c alone.
 */
#ifndef CARREL_SHIM_CONTROL_OPS_H
#define CARREL_SHIM_CONTROL_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct control_peer;
struct control_request;
struct err;
struct session;
struct table;

enum { CONTROL_ANSWER_BYTES = 49152 };

enum control_result {
	CONTROL_ANSWERED, /* the answer is in `text` */
	CONTROL_LATER,	  /* one of control_ended, control_started, control_exited answers */
};

/* Descriptors that a handler takes are -1 afterwards. Always gives an answer, also to nonsense. */
enum control_result control_do(struct control_peer *p, const struct control_request *req,
			       int *fds, size_t n_fds, struct buf *text);

void control_refuse(struct buf *text, const char *code, const struct err *why);
void control_started_answer(uint32_t number, int32_t pid, const struct err *why,
			    struct buf *text);
void control_frozen_answer(const struct err *why, struct buf *text);
void control_upgraded_answer(const struct err *why, bool changed, struct buf *text);
void control_exit_answer(const struct session *s, struct buf *text);
void control_end_answer(const struct table *t, bool with_exit, struct buf *text);

#endif
