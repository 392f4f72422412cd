/*
 * A registry from carrel-image's side: the helper program is started, asked, and ended.
 * The messages are those of images/registry_message.h.
 */
#ifndef CARREL_IMAGES_REGISTRY_H
#define CARREL_IMAGES_REGISTRY_H

#include "base/child.h"
#include "images/credentials.h"
#include "images/registries.h"
#include "images/registry_message.h"

struct buf;
struct err;
struct progress;

/* What pull and push are told about the way to registries. */
struct registry_options {
	const struct registries *registries;
	const char *creds;    /* "USER:PASSWORD"; NULL: from files; never for mirrors */
	const char *authfile; /* NULL: where docker and podman have theirs */
	uint32_t retries;
	uint64_t delay_ms, stall_ms, deadline_ms;
	unsigned parallel;
	const struct progress *progress;
};
#define REGISTRY_OPTIONS_DEFAULT                                                               \
	((struct registry_options){ .retries = 5,                                              \
				    .delay_ms = 500,                                           \
				    .stall_ms = 30000,                                         \
				    .deadline_ms = 30 * 60000,                                 \
				    .parallel = 4 })

struct registry {
	struct child child;
	int fd;
	uint32_t next_id;
	const struct registry_options *options;
	char name[REFERENCE_HOST + 1]; /* for errors */
};
#define REGISTRY_NONE ((struct registry){ .child = CHILD_NONE, .fd = -1 })
#define auto_registry auto_cleanup(registry_close)

/* Finds the credentials, starts the helper and waits until it has given up its rights. */
int registry_open(const struct endpoint *at, const struct registry_options *o,
		  struct registry *out, struct err *e);
void registry_close(struct registry *r);

/* q->id is set. fd (-1: none) is borrowed. */
int registry_send(struct registry *r, struct registry_request *q, int fd, struct err *e);
/* The next DONE or FAILED; NOTEs go to the progress. A helper that has ended is an error. */
int registry_recv(struct registry *r, struct registry_answer *out, struct err *e);
/* FAILED as an error. */
int registry_failure(const struct registry *r, const struct registry_answer *a, struct err *e);

/* One request and its answer, which is DONE, or an error. */
int registry_ask(struct registry *r, struct registry_request *q, int fd,
		 struct registry_answer *out, struct err *e);
/* A small document through a pipe into out, at most its limit. */
int registry_read(struct registry *r, struct registry_request *q, struct buf *out,
		  struct registry_answer *a, struct err *e);

#endif
