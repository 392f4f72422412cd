/*
 * Errors as RFC 9457 problem details: one table of what can be wrong, one sentence of detail.
 */
#ifndef CARREL_SESSIOND_PROBLEM_H
#define CARREL_SESSIOND_PROBLEM_H

#include <stdint.h>

struct err;
struct request;

enum problem {
	PROBLEM_BAD_REQUEST,
	PROBLEM_INVALID, /* a field of the body or query */
	PROBLEM_KEY_IN_URL,
	PROBLEM_UNAUTHORIZED,
	PROBLEM_FORBIDDEN,
	PROBLEM_ORIGIN,
	PROBLEM_NOT_FOUND,
	PROBLEM_METHOD,
	PROBLEM_CONFLICT,
	PROBLEM_GONE,
	PROBLEM_LENGTH_REQUIRED,
	PROBLEM_TOO_LARGE,
	PROBLEM_UPGRADE_REQUIRED,
	PROBLEM_QUOTA,
	PROBLEM_INTERNAL,
	PROBLEM_UNAVAILABLE,
	PROBLEM_TIMEOUT,
};

/* Sets the reply; the detail is for the user to read. */
void problem_reply(struct request *rq, enum problem p, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with Retry-After. */
void problem_retry(struct request *rq, enum problem p, uint64_t seconds, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* An error that is ours: logged with the request's id; the user reads that id only. */
void problem_internal(struct request *rq, const struct err *e);

unsigned problem_status(enum problem p);

#endif
