/*
 * Sandboxes that outlived a daemon go on with the carrel-shim of this one: each live shim of another build that is not newer is
 * asked, one after the other, once the daemon answers. What carrel upgrade --all does, of the daemon's own accord
 * (`upgrade_shims: at-start`).
 *
 * Nothing waits for it, and nothing fails by it: a shim that cannot be upgraded goes on as it is, and the log says why.
 */
#ifndef CARREL_SESSIOND_RENEW_H
#define CARREL_SESSIOND_RENEW_H

#include <stdbool.h>

struct renew;
struct server;

struct renew *renew_new(struct server *server);
/* Forgets what it has asked; a shim that has begun goes on with that. Accepts NULL. */
void renew_free(struct renew *r);

/* Whether version a ("1.2.3", as many numbers as it has) comes after b. What is no version comes before all. */
bool renew_is_after(const char *a, const char *b);

#endif
