/*
 * How an image of a registry is called: [docker://][HOST/]REPOSITORY[:TAG][@DIGEST]. A pure function over memory.
 *
 * The first component is a host if it has a "." or ":" or is "localhost", as everywhere. A name without a
 * host goes where the configuration says, or is refused: that a name is short does not say who may answer
 * for it. One-word repositories of docker.io are those below library/.
 */
#ifndef CARREL_IMAGES_REFERENCE_H
#define CARREL_IMAGES_REFERENCE_H

#include "images/digest.h"

struct err;

enum { REFERENCE_HOST = 255, REFERENCE_REPO = 255, REFERENCE_TAG = 128 };

struct reference {
	char host[REFERENCE_HOST +
		  1]; /* with its port, if one was given: "docker.io", "[::1]:5000" */
	char repo[REFERENCE_REPO + 1];
	char tag[REFERENCE_TAG + 1]; /* "" only when there is a digest */
	struct digest digest;	     /* "" = none; wins over the tag */
};

/* default_host: where names without a host go; NULL: nowhere. */
int reference_parse(const char *text, const char *default_host, struct reference *out,
		    struct err *e);

/* The whole name again, the same for all ways to write it. malloc'ed. */
char *reference_text(const struct reference *r);

/* What is asked of the registry: the digest if there is one, else the tag. */
const char *reference_wanted(const struct reference *r, struct digest_text *buf);

/* "HOST[:PORT]", of the characters that a host name or address can have. */
int reference_check_host(const char *host, struct err *e);
int reference_check_repo(const char *repo, struct err *e);

#endif
