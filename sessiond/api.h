/*
 * The handlers of the API, one per row of the table in routes.c.
 */
#ifndef CARREL_SESSIOND_API_H
#define CARREL_SESSIOND_API_H

#include <stdbool.h>
#include <stdint.h>

struct record;
struct request;

void api_healthz(struct request *rq);
void api_readyz(struct request *rq);
void api_metrics(struct request *rq);

void api_session_create(struct request *rq);
void api_session_delete(struct request *rq);
void api_me(struct request *rq);
void api_key_create(struct request *rq);
void api_key_list(struct request *rq);
void api_key_delete(struct request *rq);

void api_sandbox_create(struct request *rq);
void api_sandbox_list(struct request *rq);
void api_sandbox_get(struct request *rq);
void api_sandbox_delete(struct request *rq);
void api_sandbox_resize(struct request *rq);
void api_sandbox_exec(struct request *rq);
void api_sandbox_pause(struct request *rq);
void api_sandbox_resume(struct request *rq);
void api_sandbox_extend(struct request *rq);
void api_sandbox_upgrade(struct request *rq);
void api_terminal_create(struct request *rq);
void api_terminal_list(struct request *rq);
void api_terminal_get(struct request *rq);
void api_terminal_delete(struct request *rq);
void api_ticket_create(struct request *rq);
void api_volume_list(struct request *rq);
void api_volume_get(struct request *rq);
void api_volume_delete(struct request *rq);
void api_terminal(struct request *rq);
void api_recording_get(struct request *rq);

/* The row of rq->param when rq->who may see it; else the reply is set: somebody else's sandbox is as
 * absent as one that never was. *out is the caller's (auto_record). */
bool api_find_own(struct request *rq, struct record *out);

/* What a list is asked for: ?limit= and ?after=. False: the reply is set. */
struct page {
	const char *after; /* NULL: from the first; lives as long as the request */
	uint64_t limit;
};
bool api_page(struct request *rq, struct page *out);

#endif
