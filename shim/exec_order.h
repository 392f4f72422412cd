/*
 * What one more process of a sandbox is to be: from a request on shim.sock through the front to the janitor.
 *
 * Both halves check it: the front to answer the asker, the janitor because it has the rights.
 */
#ifndef CARREL_SHIM_EXEC_ORDER_H
#define CARREL_SHIM_EXEC_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum {
	EXEC_ORDER_BYTES = 65536, /* packed */
	EXEC_ORDER_ARGS = 256,
	EXEC_ORDER_ENV = 256,
};

/* Strings are borrowed; after exec_order_unpack, from the packed bytes. */
struct exec_order {
	const char **args; /* NULL-terminated, never empty */
	const char *
		*env;	 /* "NAME=VALUE" on top of the sandbox's own, NULL-terminated or NULL */
	const char *cwd; /* absolute; NULL: the sandbox's */
	const char *user; /* NAME|UID[:GROUP|GID]; NULL: the sandbox's */
	bool terminal;
	uint16_t cols, rows;
};

int exec_order_check(const struct exec_order *o, struct err *e);

/* Strings one after the other, each with its NUL, behind a head of fixed size. */
int exec_order_pack(const struct exec_order *o, struct buf *out, struct err *e);
/* Checks as well. args and env are the caller's, for exec_order_fini; after an error there is nothing. */
int exec_order_unpack(const void *p, size_t n, struct exec_order *out, struct err *e);
void exec_order_fini(struct exec_order *o);

#endif
