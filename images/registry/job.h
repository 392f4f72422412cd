/*
 * One request of carrel-image's, through as many HTTP requests as it takes: authentication, redirects, what to do
 * again and when, resuming. Ends with one answer.
 *
 *   send ──► 401: ask for a token, send again        once per token
 *        ──► 3xx: send to where it leads             GET and HEAD only, at most 5; no credentials for others
 *        ──► cut, 408, 429, 5xx: wait, send again    from the first byte that is missing
 *        ──► 2xx: the next step, or DONE
 */
#ifndef CARREL_IMAGES_REGISTRY_JOB_H
#define CARREL_IMAGES_REGISTRY_JOB_H

#include "images/registry/auth.h"
#include "images/registry/http.h"
#include "images/registry_message.h"

struct err;

struct service {
	struct registry_setup setup;
	struct http_client client;
	struct auth auth;
	int sock;
};

enum job_step {
	JOB_MANIFEST,
	JOB_BLOB,
	JOB_HEAD,
	JOB_START, /* an upload */
	JOB_SEND,  /* its content, all in one */
	JOB_CHUNK, /* or a part of it */
	JOB_CLOSE, /* and after the parts its name */
	JOB_MANIFEST_PUT,
};

struct job {
	struct service *service; /* NULL: free */
	struct registry_request q;
	int fd; /* owned; a pipe to write to or a file to read; -1 */
	enum job_step step;
	bool asks_token, flushing, waits;
	struct challenge challenge;
	char scope[AUTH_SCOPE];

	char url[HTTP_URL];    /* of the request that is under way */
	char upload[HTTP_URL]; /* where the upload goes on */
	unsigned redirects, refusals;
	uint64_t sent; /* of an upload in parts */
	bool mount;    /* ask for that first */

	unsigned attempts; /* in a row without a new byte */
	unsigned tries;	   /* all */
	uint64_t last_written;
	uint64_t due_ms, deadline_ms;

	struct http http;
	char *auth, *token_url, *token_form; /* of the request under way */
	char range[64];
};

/* Takes fd. On an error nothing has begun. */
int job_begin(struct service *s, const struct registry_request *q, int fd, struct job *j,
	      struct err *e);
/* Its HTTP request has ended. */
void job_ended(struct job *j, CURLcode result);
/* Time has passed, or the pipe takes bytes again. */
void job_tick(struct job *j, uint64_t now_ms, bool writable);
/* Whether it waits for its pipe to take bytes. */
bool job_wants_write(const struct job *j);
/* When it wants to be looked at again, UINT64_MAX: never. */
uint64_t job_due(const struct job *j);
void job_cancel(struct job *j);
void job_fail(struct job *j, const struct err *why);

/* The addresses, job_url.c. */
void job_address(struct job *j, const char *path, ...) __attribute__((format(printf, 2, 3)));
/* What an unwelcome status means, with the registry's own words if it gave any. */
int job_explain(const struct job *j, struct err *e);
int job_explain_curl(const struct job *j, CURLcode code, struct err *e);

#endif
