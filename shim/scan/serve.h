/*
 * The scanner at work: messages of the front in, answers out, until the front is gone. One process, one loop, nothing opened.
 */
#ifndef CARREL_SHIM_SCAN_SERVE_H
#define CARREL_SHIM_SCAN_SERVE_H

struct err;
struct rules;

/* Returns 0 at the end of the stream. */
int serve_front(const struct rules *rules, int fd, struct err *e);

#endif
