/*
 * One HTTP request from its first line to its reply, between http.c (which moves bytes) and routes.c
 * (which decides what they mean).
 *
 * A handler is called when the whole body is there. It sets the reply before it returns, or keeps the
 * request and calls request_done later; until then the connection is suspended and the request stays
 * valid even if the client has gone.
 */
#ifndef CARREL_SESSIOND_REQUEST_H
#define CARREL_SESSIOND_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "sessiond/identity.h"
#include "sessiond/target.h"

struct MHD_Connection;
struct MHD_UpgradeResponseHandle;
struct err;
struct http;
struct json_doc;
struct json_writer;
struct route;
struct server;

enum {
	REQUEST_BODY_MAX = 64 * 1024,
	REPLY_HEADERS = 8,
	REPLY_MAX = 4 * 1024 * 1024,
};

/* A client's socket after 101. Owned by whom upgrade_fn gave it; http_upgrade_close ends our part. */
struct upgraded {
	int fd; /* borrowed */
	const void *
		leftover; /* what came behind the request's head; valid during upgrade_fn only */
	size_t n_leftover;
	struct http *http;
	struct MHD_UpgradeResponseHandle *handle;
};
typedef void (*upgrade_fn)(void *arg, const struct upgraded *up);

struct reply {
	unsigned status; /* 0: none yet */
	const char *content_type;
	struct buf body;
	const void *fixed; /* instead of body: bytes that outlive every request */
	size_t n_fixed;
	int file_fd; /* instead of both, when not 0: this many bytes of a file, from there on */
	uint64_t file_from;
	uint64_t n_file;
	struct reply_header {
		char *name, *value;
	} headers[REPLY_HEADERS];
	size_t n_headers;
	upgrade_fn upgrade; /* status 101 */
	void *upgrade_arg;  /* malloc'ed; freed with the request when 101 could not be sent */
};

enum request_state {
	REQUEST_HEAD, /* its head is being read, or was just read */
	REQUEST_BODY,
	REQUEST_WORKING, /* given to its handler */
	REQUEST_SENDING, /* the reply is queued */
};

struct request {
	struct server *server;
	struct http *http;
	struct MHD_Connection *conn;
	enum request_state state;
	bool suspended;

	char id[65];
	const char *method;
	bool target_bad;
	struct target target;
	char target_error[512];
	uint64_t began_ns;

	const struct route *route;
	const char *param; /* what stands for {id} in the route's pattern */
	char new_id[65];   /* of the sandbox that it creates */
	struct identity who;
	struct buf body;
	struct reply reply;
};

/* A header's value; NULL when absent. */
const char *request_header(const struct request *rq, const char *name);
/* The body as JSON object; an empty one is {}. Sets a 400 reply itself when it is none. */
int request_json(struct request *rq, struct json_doc **out);

void reply_header(struct request *rq, const char *name, const char *value);
/* A JSON body is written as you go: w = reply_json(rq, 200); jw_object(...); ...; reply_json_end. */
struct json_writer *reply_json(struct request *rq, unsigned status);
void reply_json_end(struct request *rq, struct json_writer *w);
void reply_empty(struct request *rq, unsigned status);
void reply_fixed(struct request *rq, unsigned status, const char *content_type, const void *p,
		 size_t n);
/* n bytes of a regular file, from an offset on; fd becomes the reply's. */
void reply_file(struct request *rq, unsigned status, const char *content_type, int fd,
		uint64_t from, uint64_t n);
void reply_clear(struct reply *r);

/* Tells http.c that a request whose handler returned without a reply has one now. */
void request_done(struct request *rq);

#endif
