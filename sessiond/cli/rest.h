/*
 * Requests to a carrel-sessiond: the REST API by libcurl, and the bare connection that a WebSocket
 * begins with. The only files that know libcurl are rest.c and link_ws.c.
 */
#ifndef CARREL_SESSIOND_CLI_REST_H
#define CARREL_SESSIOND_CLI_REST_H

struct cli;
struct err;
struct json_doc;

struct rest {
	char *base;	 /* "http://host:port", without a slash at the end */
	char *unix_path; /* NULL: by TCP */
	char *key;	 /* NULL: none */
	char *ca;	 /* NULL: the system's */
};

int rest_open(const struct cli *c, struct rest *out, struct err *e);
void rest_close(struct rest *r);

/* One request, at most 60 seconds; *out (may be NULL) is the answer's JSON, NULL when it has none. A
 * status above 299 is an error with the problem's own words: ENOENT for 404, EACCES for 401 and 403, else
 * EIO. */
int rest_call(const struct rest *r, const char *method, const char *path, struct json_doc **out,
	      struct err *e);

/* GET: the body of a good answer is written to fd as it comes, however long it is. */
int rest_fetch(const struct rest *r, const char *path, int fd, struct err *e);

/* The same with a JSON body. */
int rest_post(const struct rest *r, const char *path, const char *body, struct json_doc **out,
	      struct err *e);

/* A curl handle that is connected, with TLS when the address says so, and nothing sent. */
void *rest_connect(const struct rest *r, struct err *e);

#endif
