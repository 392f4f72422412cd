/*
 * Netlink: messages put together in a buffer, sent at once, and answered by the kernel at once.
 *
 * A batch holds one or several messages. The kernel works through them inside sendmsg, so when it returns every
 * answer is there: nothing here waits. The first message that was refused is the error, with the kernel's own
 * explanation when it has one. There is no library below: Debian has no static libmnl, and the static program
 * needs no more than this.
 *
 * Do not add: what a message means (rtnl.h, nft.h).
 */
#ifndef CARREL_RUNTIME_NETLINK_H
#define CARREL_RUNTIME_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct err;
struct nlattr;
struct nlmsghdr;

enum { NL_DEPTH = 12, NL_LABELS = 24, NL_MAX = 1 << 20 };

struct nl_batch {
	struct buf b;
	size_t msg;	       /* where the open message starts */
	size_t nest[NL_DEPTH]; /* where the open nested attributes start */
	unsigned depth, count; /* messages so far: their numbers are 1.. */
	unsigned acked;	       /* the number of the last one that is to be answered */
	bool broken;	       /* too long or too deep: sending it is an error */
	struct {
		unsigned from;
		const char *text; /* borrowed */
	} label[NL_LABELS];
	unsigned labels;
};
#define NL_BATCH ((struct nl_batch){ .b = BUF_LIMIT(NL_MAX) })
#define auto_nl	 auto_cleanup(nl_fini)
void nl_fini(struct nl_batch *b);

/* What the messages from here on are about, for errors. */
void nl_label(struct nl_batch *b, const char *text);
/* Opens the next message: NLM_F_REQUEST and `flags`, the protocol's own header behind it. */
void nl_begin(struct nl_batch *b, uint16_t type, uint16_t flags, const void *head, size_t n);
/* The open message is the last that the kernel is to confirm: refusals of those before come anyway. */
void nl_ack(struct nl_batch *b);
/* Attributes of the open message, inside the innermost open nest. */
void nl_attr(struct nl_batch *b, uint16_t type, const void *p, size_t n);
void nl_str(struct nl_batch *b, uint16_t type, const char *s); /* with its NUL */
void nl_u8(struct nl_batch *b, uint16_t type, uint8_t v);
void nl_u32(struct nl_batch *b, uint16_t type, uint32_t v);
void nl_be32(struct nl_batch *b, uint16_t type, uint32_t v);
void nl_nest(struct nl_batch *b, uint16_t type);
void nl_nest_with(struct nl_batch *b, uint16_t type, const void *head, size_t n);
void nl_unnest(struct nl_batch *b);

/* A socket of NETLINK_ROUTE or NETLINK_NETFILTER in the caller's network namespace, or in that of ns_fd. */
int nl_open(int protocol, struct err *e);
int nl_open_in(int ns_fd, int protocol, struct err *e);

/* Called for each message that is neither an error nor an end; -1 stops. */
typedef int (*nl_each_fn)(const struct nlmsghdr *m, void *ctx, struct err *e);

/* Sends the batch and reads the answers. `each` may be NULL. e->code is the kernel's errno. */
int nl_talk(int fd, struct nl_batch *b, nl_each_fn each, void *ctx, struct err *e);

/* The attributes of a received message behind a header of n bytes, by type into out[0 .. max]; NULL: absent. */
void nl_parse(const struct nlmsghdr *m, size_t n, const struct nlattr **out, size_t max);
void nl_parse_nest(const struct nlattr *a, const struct nlattr **out, size_t max);
/* 0 when the attribute is absent or of another length. */
uint32_t nl_get_u32(const struct nlattr *a);
/* Copies at most n bytes; returns how many the attribute has, 0 when absent. */
size_t nl_get(const struct nlattr *a, void *out, size_t n);

#endif
