/*
 * One HTTP request and what came of it, on a libcurl multi handle. Nothing is decided here: redirects, authentication
 * and retries are job.c's.
 */
#ifndef CARREL_IMAGES_REGISTRY_HTTP_H
#define CARREL_IMAGES_REGISTRY_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "images/challenge.h"

struct err;

enum { HTTP_URL = 4096, HTTP_HEADER_BYTES = 65536, HTTP_SMALL_BODY = 65536 };

/* What the connections have in common. */
struct http_client {
	CURLM *multi;
	CURLSH *share; /* names and TLS sessions */
	bool plain;    /* http:// may be spoken at all */
	struct curl_blob ca;
	long stall_s;
	long connect_s;
};

/* A body on its way into a pipe that may be full, or cut off and begun again. */
struct http_sink {
	int fd;		  /* non-blocking (borrowed); -1: the body is kept in `small` */
	uint64_t written; /* into fd */
	uint64_t limit;	  /* of the whole */
	uint64_t at;	  /* in the whole: of the next byte that the server sends */
	bool full;	  /* the transfer stands until fd takes bytes again */
	bool closed;	  /* nobody reads any more */
};

enum http_verb { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH };

struct http {
	/* asked; url, auth, form and content are copied or borrowed until http_clear */
	enum http_verb verb;
	const char *url;
	const char *auth;	   /* Authorization's value; NULL: none */
	const char *accept;	   /* NULL: anything */
	const char *type;	   /* Content-Type of what is sent; NULL: none */
	const char *form;	   /* a POST's body; NULL: empty */
	const char *content_range; /* PATCH */
	int source_fd;		   /* PUT, PATCH: the body, from source_at, source_n bytes */
	uint64_t source_at, source_n, source_done;
	bool resume; /* from sink.written on */
	struct http_sink sink;
	uint64_t small_limit;

	/* answered */
	CURL *easy;
	struct curl_slist *headers;
	long status;
	struct buf small;
	size_t header_bytes;
	bool too_much_header, too_much_body, bad_range;
	char content_type[128], digest[160], location[HTTP_URL];
	char challenge[CHALLENGE_BYTES + 1];
	char why[CURL_ERROR_SIZE];
};

/* ca: PEM, n bytes, which have to stay. */
int http_client_init(struct http_client *c, bool plain, void *ca, size_t n, struct err *e);
void http_client_fini(struct http_client *c);

/* Begins; curl_multi_info_read tells the end of h->easy, whose private pointer is `owner`. */
int http_start(struct http_client *c, struct http *h, void *owner, struct err *e);
/* Reads the status; to be called once at the end. */
void http_end(struct http *h);
/* Gives the handle back; keeps the sink's state. */
void http_clear(struct http_client *c, struct http *h);

/* Scheme, host and port of both are the same. */
bool http_same_origin(const char *a, const char *b);
/* `to` as it is meant at `base`, into out. Only http and https, without a user. */
int http_resolve(const char *base, const char *to, char out[HTTP_URL], struct err *e);

#endif
