#include "runtime/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

/* The kernel makes the parts of a dump as large as the reader's room. */
enum { REPLY_MAX = 16 << 10 };

void nl_fini(struct nl_batch *b)
{
	buf_fini(&b->b);
}

/* ---- building ---- */

static void *at(struct nl_batch *b, size_t offset)
{
	return b->b.data + offset;
}

/* Appends, padded to four bytes; the lengths of the message and of every open nest follow. A nest's length counts its
 * content's padding, an attribute's own does not. */
static void append(struct nl_batch *b, const void *p, size_t n)
{
	static const char zero[NLMSG_ALIGNTO];
	struct err ignored = ERR_NONE;

	if (b->broken)
		return;
	if (buf_append(&b->b, p, n, &ignored) < 0 ||
	    buf_append(&b->b, zero, NLMSG_ALIGN(n) - n, &ignored) < 0) {
		b->broken = true;
		return;
	}
	((struct nlmsghdr *) at(b, b->msg))->nlmsg_len = (uint32_t) (buf_len(&b->b) - b->msg);
	for (unsigned i = 0; i < b->depth; i++) {
		const size_t len = buf_len(&b->b) - b->nest[i];

		if (len > UINT16_MAX)
			b->broken = true;
		((struct nlattr *) at(b, b->nest[i]))->nla_len = (uint16_t) len;
	}
}

void nl_label(struct nl_batch *b, const char *text)
{
	if (b->labels == NL_LABELS)
		return; /* the one before is a little less exact */
	b->label[b->labels].from = b->count + 1;
	b->label[b->labels++].text = text;
}

void nl_begin(struct nl_batch *b, uint16_t type, uint16_t flags, const void *head, size_t n)
{
	const struct nlmsghdr h = {
		.nlmsg_len = sizeof(h),
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | flags,
		.nlmsg_seq = ++b->count,
	};

	b->depth = 0;
	b->msg = buf_len(&b->b);
	append(b, &h, sizeof(h));
	append(b, head, n);
}

void nl_ack(struct nl_batch *b)
{
	if (b->broken || b->count == 0)
		return;
	((struct nlmsghdr *) at(b, b->msg))->nlmsg_flags |= NLM_F_ACK;
	b->acked = b->count;
}

void nl_attr(struct nl_batch *b, uint16_t type, const void *p, size_t n)
{
	const struct nlattr a = { .nla_len = (uint16_t) (sizeof(a) + n), .nla_type = type };

	append(b, &a, sizeof(a));
	if (n)
		append(b, p, n);
}

void nl_str(struct nl_batch *b, uint16_t type, const char *s)
{
	nl_attr(b, type, s, strlen(s) + 1);
}

void nl_u8(struct nl_batch *b, uint16_t type, uint8_t v)
{
	nl_attr(b, type, &v, sizeof(v));
}

void nl_u32(struct nl_batch *b, uint16_t type, uint32_t v)
{
	nl_attr(b, type, &v, sizeof(v));
}

void nl_be32(struct nl_batch *b, uint16_t type, uint32_t v)
{
	nl_u32(b, type, htonl(v));
}

void nl_nest_with(struct nl_batch *b, uint16_t type, const void *head, size_t n)
{
	const struct nlattr a = { .nla_len = sizeof(a), .nla_type = NLA_F_NESTED | type };

	if (b->depth == NL_DEPTH) {
		b->broken = true;
		return;
	}
	b->nest[b->depth] = buf_len(&b->b);
	append(b, &a, sizeof(a));
	b->depth++;
	if (n)
		append(b, head, n);
}

void nl_nest(struct nl_batch *b, uint16_t type)
{
	nl_nest_with(b, type, NULL, 0);
}

void nl_unnest(struct nl_batch *b)
{
	if (b->depth > 0)
		b->depth--;
}

/* ---- sockets ---- */

int nl_open(int protocol, struct err *e)
{
	const int one = 1;
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return err_sys(e, "netlink socket");
	/* Words instead of an errno alone; kernels that lack it are as good. */
	(void) setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	return take_fd(&fd);
}

/* A socket stays in the namespace that it was made in, so the caller is back in its own at once. */
int nl_open_in(int ns_fd, int protocol, struct err *e)
{
	auto_close int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (own < 0)
		return err_sys(e, "/proc/self/ns/net");
	if (setns(ns_fd, CLONE_NEWNET) < 0)
		return err_sys(e, "enter the container's network namespace");
	auto_close int fd = nl_open(protocol, e);
	if (setns(own, CLONE_NEWNET) < 0)
		return err_sys(e, "return to the runtime's own network namespace");
	return take_fd(&fd);
}

/* ---- answers ---- */

static const char *label_of(const struct nl_batch *b, unsigned seq)
{
	const char *text = NULL;

	for (unsigned i = 0; i < b->labels && b->label[i].from <= seq; i++)
		text = b->label[i].text;
	return text;
}

static const char *kernel_words(const struct nlmsghdr *m, char *out, size_t n)
{
	const struct nlmsgerr *r = NLMSG_DATA(m);
	const struct nlattr *tb[NLMSGERR_ATTR_MSG + 1];
	size_t head = sizeof(*r);

	out[0] = '\0';
	if (!(m->nlmsg_flags & NLM_F_ACK_TLVS))
		return out;
	if (!(m->nlmsg_flags & NLM_F_CAPPED))
		head += NLMSG_ALIGN(r->msg.nlmsg_len) - sizeof(r->msg);
	nl_parse(m, head, tb, NLMSGERR_ATTR_MSG);
	if (nl_get(tb[NLMSGERR_ATTR_MSG], out, n - 1) > 0)
		out[n - 1] = '\0';
	return out;
}

static int refused(const struct nl_batch *b, const struct nlmsghdr *m, struct err *e)
{
	const struct nlmsgerr *r = NLMSG_DATA(m);
	const char *label = label_of(b, r->msg.nlmsg_seq);
	char words[128] = "";

	kernel_words(m, words, sizeof(words));
	errno = -r->error;
	return err_sys(e, "%s%s%s", label ? label : "netlink", words[0] ? ": " : "", words);
}

struct talk {
	const struct nl_batch *b;
	nl_each_fn each;
	void *ctx;
	bool acked, failed;
};

static void take(struct talk *t, const struct nlmsghdr *m, struct err *e)
{
	const struct nlmsgerr *r = NLMSG_DATA(m);

	if (m->nlmsg_type == NLMSG_NOOP)
		return;
	if (m->nlmsg_type == NLMSG_DONE) {
		t->acked = true;
	} else if (m->nlmsg_type != NLMSG_ERROR) {
		if (t->each && !t->failed && t->each(m, t->ctx, e) < 0)
			t->failed = true;
	} else if (m->nlmsg_len < NLMSG_LENGTH(sizeof(*r))) {
		t->failed =
			t->failed || (err_set(e, EPROTO, "netlink: a cut-off answer"), true);
	} else if (r->error == 0) {
		t->acked = t->acked || r->msg.nlmsg_seq == t->b->acked;
	} else if (!t->failed) {
		(void) refused(t->b, m, e);
		t->failed = true;
	}
}

static int read_answers(int fd, struct talk *t, struct err *e)
{
	_Alignas(struct nlmsghdr) char room[REPLY_MAX];

	for (;;) {
		const ssize_t n = recv(fd, room, sizeof(room), MSG_DONTWAIT);
		int left = (int) n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return t->failed ? -1 : err_sys(e, "netlink: read the answer");
		for (struct nlmsghdr *m = (void *) room; NLMSG_OK(m, (unsigned) left);
		     m = NLMSG_NEXT(m, left))
			take(t, m, e);
	}
	if (t->failed)
		return -1;
	return t->acked ? 0 : err_set(e, EPROTO, "netlink: the kernel gave no answer");
}

int nl_talk(int fd, struct nl_batch *b, nl_each_fn each, void *ctx, struct err *e)
{
	struct talk t = { .b = b, .each = each, .ctx = ctx };
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	if (b->broken)
		return err_set(e, E2BIG, "netlink: the request is too long");
	do {
		n = sendto(fd, buf_bytes(&b->b), buf_len(&b->b), 0,
			   (const struct sockaddr *) &kernel, sizeof(kernel));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "netlink: send");
	return read_answers(fd, &t, e);
}

static void parse(const char *p, size_t n, const struct nlattr **out, size_t max)
{
	memset(out, 0, (max + 1) * sizeof(*out));
	while (n >= sizeof(struct nlattr)) {
		const struct nlattr *a = (const void *) p;
		const size_t step = NLA_ALIGN(a->nla_len);

		if (a->nla_len < sizeof(*a) || a->nla_len > n)
			return;
		if ((a->nla_type & NLA_TYPE_MASK) <= max)
			out[a->nla_type & NLA_TYPE_MASK] = a;
		if (step >= n)
			return;
		p += step;
		n -= step;
	}
}

void nl_parse(const struct nlmsghdr *m, size_t n, const struct nlattr **out, size_t max)
{
	const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(n);
	const size_t len = m->nlmsg_len;

	parse((const char *) m + MIN(head, len), len > head ? len - head : 0, out, max);
}

void nl_parse_nest(const struct nlattr *a, const struct nlattr **out, size_t max)
{
	parse(a ? (const char *) a + NLA_HDRLEN : NULL,
	      a ? a->nla_len - (size_t) NLA_HDRLEN : 0, out, max);
}

uint32_t nl_get_u32(const struct nlattr *a)
{
	uint32_t v = 0;

	return nl_get(a, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

size_t nl_get(const struct nlattr *a, void *out, size_t n)
{
	const size_t len = a ? a->nla_len - (size_t) NLA_HDRLEN : 0;

	if (len)
		memcpy(out, (const char *) a + NLA_HDRLEN, MIN(n, len));
	return len;
}
