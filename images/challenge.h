/*
 * WWW-Authenticate, as registries send it: which scheme, and of Bearer where the token is to be had.
 * A pure function over memory; what it gives is bounded and free of control characters.
 */
#ifndef CARREL_IMAGES_CHALLENGE_H
#define CARREL_IMAGES_CHALLENGE_H

struct err;

enum { CHALLENGE_TEXT = 1024, CHALLENGE_BYTES = 8192 };

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_scheme scheme;
	/* Bearer; "" when absent */
	char realm[CHALLENGE_TEXT], service[CHALLENGE_TEXT], scope[CHALLENGE_TEXT];
};

/* One header's value, which may hold several challenges: Bearer with a realm wins over Basic. Schemes that are
 * not known are skipped; CHALLENGE_NONE when no other is there. What is no challenge at all is an error. */
int challenge_parse(const char *value, struct challenge *out, struct err *e);

#endif
