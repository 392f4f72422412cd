/*
 * The scanner at work: messages of the front in, answers out, until the front is gone. One process, one loop, nothing opened.
 */
#ifndef CARREL_SHIM_SCAN_SERVE_H
#define CARREL_SHIM_SCAN_SERVE_H

struct err;
struct print_key;
struct rules;

/* key NULL: findings have no fingerprints. Returns 0 at the end of the stream. */
int serve_front(const struct rules *rules, const struct print_key *key, int fd, struct err *e);

#endif
