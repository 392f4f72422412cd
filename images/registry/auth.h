/*
 * What stands in Authorization for which address, and how a token is asked for. Credentials go to the registry itself
 * and to the token service that it names over TLS (or at all, if the registry is plain HTTP), and nowhere else.
 */
#ifndef CARREL_IMAGES_REGISTRY_AUTH_H
#define CARREL_IMAGES_REGISTRY_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/challenge.h"
#include "images/registry_message.h"

struct err;
struct buf;

enum { AUTH_TOKENS = 8, AUTH_SCOPE = 640, AUTH_TOKEN = 32768 };

struct auth {
	const struct registry_setup *setup; /* borrowed */
	bool basic;			    /* the registry wants the password itself */
	struct auth_token {
		char scope[AUTH_SCOPE];
		char *value;
		uint64_t until_ms; /* on the monotonic clock */
	} tokens[AUTH_TOKENS];
	unsigned next;
};

void auth_fini(struct auth *a);

/* "repository:a:pull", "repository:a:pull,push repository:b:pull". */
void auth_scope(const struct registry_request *q, char out[AUTH_SCOPE]);

bool auth_has_credentials(const struct auth *a);
/* Authorization's value for the registry, malloc'ed; NULL: nothing is known yet, so ask without. */
char *auth_header(const struct auth *a, const char *scope);
/* The same for the token service. */
char *auth_service_header(const struct auth *a);

/* The request for a token: an address, and a form when an identity token is traded (else NULL), both malloc'ed. */
int auth_token_request(const struct auth *a, const struct challenge *c, const char *scope,
		       char **url, char **form, struct err *e);
/* The token service's answer. */
int auth_take_token(struct auth *a, const char *scope, const void *text, size_t n,
		    struct err *e);
/* Says that the token does not serve any more. */
void auth_drop_token(struct auth *a, const char *scope);

#endif
