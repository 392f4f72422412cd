/*
 * When something is said to have been made: now, or SOURCE_DATE_EPOCH, so that the same inputs give the same image.
 */
#ifndef CARREL_IMAGES_CREATED_H
#define CARREL_IMAGES_CREATED_H

#include <stdbool.h>
#include <stdint.h>

struct err;

struct created {
	char s[40]; /* RFC 3339 */
	bool given; /* by the environment */
	uint64_t seconds;
};

/* A SOURCE_DATE_EPOCH that is no number of seconds is an error. */
int created_now(struct created *out, struct err *e);

#endif
