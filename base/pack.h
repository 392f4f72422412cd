/*
 * State as bytes and back, for a program that hands its work to another one: fixed-size numbers, little-endian, bytes behind
 * their length, descriptors in a list beside the bytes.
 *
 * Both sides name the same things in the same order; a tag of four letters before each part makes an order that is not the
 * same an error at once. An error sticks: what follows it does nothing and gives zeros, so only the end needs a check. What
 * is read is outside input: every number that means something is read with its bounds. Do not add knowledge about what
 * the values mean.
 */
#ifndef CARREL_BASE_PACK_H
#define CARREL_BASE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct pack {
	struct buf out; /* what was not flushed */
	struct buf fds; /* ints, borrowed */
	/* Takes bytes away; NULL: all stays in `out`. */
	int (*flush)(void *arg, const void *p, size_t n, struct err *e);
	void *arg;
	struct err why; /* code 0: all is well */
};

/* limit: with flush, how many bytes wait for it at most; else the most that there may be. */
#define PACK(limit) ((struct pack){ .out = BUF_LIMIT(limit), .fds = BUF_LIMIT(65536) })
void pack_fini(struct pack *p);

void pack_tag(struct pack *p, const char tag[4]);
void pack_u8(struct pack *p, uint8_t v);
void pack_u16(struct pack *p, uint16_t v);
void pack_u32(struct pack *p, uint32_t v);
void pack_u64(struct pack *p, uint64_t v);
void pack_bool(struct pack *p, bool v);
void pack_bytes(struct pack *p, const void *v, size_t n);
void pack_str(struct pack *p, const char *s);
void pack_buf(struct pack *p, const struct buf *b);
/* -1: there is none. Borrowed until the end. */
void pack_fd(struct pack *p, int fd);
/* Bytes as they are, for a reader that knows how many. */
void pack_raw(struct pack *p, const void *v, size_t n);
/* Flushes. -1 when anything before it failed. */
int pack_end(struct pack *p, struct err *e);

struct unpack {
	const uint8_t *p;
	size_t n;
	int *fds; /* taken ones are -1 afterwards. NULL: only looked at, every descriptor is given as -1 */
	size_t n_fds, at_fd;
	struct err why;
	uint32_t format; /* the reader's note of which one it reads */
};

void unpack_tag(struct unpack *u, const char tag[4]);
uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
bool unpack_bool(struct unpack *u);
/* A number of the type that its pack_ had, at most `max`; `what` is for the error. */
uint8_t unpack_u8_to(struct unpack *u, uint8_t max, const char *what);
uint32_t unpack_u32_to(struct unpack *u, uint32_t max, const char *what);
uint64_t unpack_u64_to(struct unpack *u, uint64_t max, const char *what);
/* Points into the bytes; NULL after an error. */
const void *unpack_raw(struct unpack *u, size_t n);
const void *unpack_bytes(struct unpack *u, size_t max, size_t *n);
/* Appended; the buffer's own limit holds. */
void unpack_buf(struct unpack *u, struct buf *b);
/* At most size - 1 bytes, none of them NUL, and a NUL. */
void unpack_str(struct unpack *u, char *out, size_t size);
/* The caller's from here on. */
int unpack_fd(struct unpack *u);

/* An error of the caller's, who found that values do not fit together. Always -1. */
int unpack_refuse(struct unpack *u, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline bool unpack_failed(const struct unpack *u)
{
	return u->why.code != 0;
}
/* -1 when anything before it failed, or bytes or descriptors are left. */
int unpack_end(struct unpack *u, struct err *e);

#endif
