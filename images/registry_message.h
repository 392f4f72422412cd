/*
 * What carrel-image and carrel-registry say to each other: one packet is one message, over descriptor 3.
 *
 *   carrel-image                                     carrel-registry (one per registry, unprivileged)
 *   SETUP   host, scheme, credentials, [CA file] ──►  drops its rights, then READY or FAILED
 *   MANIFEST repo, ref            [pipe to write] ──►  bytes into the pipe ... DONE type, digest it claims
 *   BLOB     repo, digest, size   [pipe to write] ──►  bytes into the pipe ... DONE
 *   HAS_BLOB repo, digest                         ──►  DONE, found or not
 *   PUT_BLOB repo, digest, from   [file to read]  ──►  DONE, mounted or sent
 *   PUT_MANIFEST repo, ref, type  [file to read]  ──►  DONE
 *   CANCEL                                        ──►  the request's FAILED (ECANCELED), unless it is over
 *                                                      NOTE, at any time: why something takes longer
 *                                                      FAILED code, sentence: instead of DONE
 *
 * Several requests run at once; `id` says whose an answer is. The pipe is closed before DONE or FAILED is sent.
 * Nothing that the helper says is believed: whoever reads the pipe counts and hashes, and what is sent to a registry
 * is named by a digest. Every text is terminated, of bounded length and without control characters; a message that
 * is not so is an error on either side.
 */
#ifndef CARREL_IMAGES_REGISTRY_MESSAGE_H
#define CARREL_IMAGES_REGISTRY_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum {
	REGISTRY_SOCKET = 3,
	REGISTRY_JOBS = 16, /* requests at once */
	REGISTRY_SECRET = 16384,
};

enum registry_scheme { REGISTRY_HTTPS, REGISTRY_HTTP };

/* The first message. Descriptor with it: the CA certificates to believe (PEM); none with REGISTRY_HTTP. */
struct registry_setup {
	uint32_t scheme;
	uint32_t retries;     /* attempts in a row that brought nothing new */
	uint64_t delay_ms;    /* before the first of them; doubles */
	uint64_t stall_ms;    /* without a byte: the connection counts as cut */
	uint64_t deadline_ms; /* for one request with all its attempts */
	char host[256];	      /* HOST[:PORT] */
	char user[1024];      /* "": none */
	char secret
		[REGISTRY_SECRET]; /* the user's password; without a user: an identity token */
};

enum registry_op {
	REGISTRY_MANIFEST = 1,
	REGISTRY_BLOB,
	REGISTRY_HAS_BLOB,
	REGISTRY_PUT_BLOB,
	REGISTRY_PUT_MANIFEST,
	REGISTRY_CANCEL,
};

struct registry_request {
	uint32_t op, id;
	uint64_t size;	/* BLOB, MANIFEST: at most; PUT_*: exactly */
	uint64_t chunk; /* PUT_BLOB: bytes per request; 0: all in one */
	char repo[256];
	char ref[160];	/* tag or digest */
	char type[128]; /* PUT_MANIFEST: media type */
	char from[256]; /* PUT_BLOB: a repository of this registry that may have it; "" */
};

enum registry_kind {
	REGISTRY_READY = 1,
	REGISTRY_DONE,
	REGISTRY_FAILED,
	REGISTRY_NOTE,
};

enum registry_outcome { REGISTRY_FOUND = 1, REGISTRY_ABSENT, REGISTRY_SENT, REGISTRY_MOUNTED };

struct registry_answer {
	uint32_t kind, id;
	int32_t code; /* FAILED: an errno value */
	uint32_t outcome;
	char type[128];	  /* MANIFEST: Content-Type; "" */
	char digest[160]; /* MANIFEST: Docker-Content-Digest; "" */
	char text[508];	  /* FAILED, NOTE */
};

/* From a packet of n bytes; what is not as documented above is EPROTO. */
int registry_setup_parse(const void *p, size_t n, struct registry_setup *out, struct err *e);
int registry_request_parse(const void *p, size_t n, struct registry_request *out,
			   struct err *e);
int registry_answer_parse(const void *p, size_t n, struct registry_answer *out, struct err *e);

/* Foreign text for a message or an error: at most room - 1 bytes, control characters become "?". */
void registry_text(char *out, size_t room, const char *s, size_t n);

#endif
