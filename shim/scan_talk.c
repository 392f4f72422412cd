#include "shim/scan_talk.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/policy.h"
#include "base/util.h"

static bool is_fingerprint(const char *s, size_t room)
{
	size_t n = strnlen(s, room);

	return n < room && strspn(s, "0123456789abcdef") == n && (n == 0 || n == SCAN_PRINT);
}

struct scan_found scan_finding(const struct scan_head *h, const uint8_t *body)
{
	struct scan_found f = { 0 };

	memcpy(&f, body, MIN(h->n, sizeof(f)));
	return f;
}

static int check_body(const struct scan_head *h, const uint8_t *body, struct err *e)
{
	struct scan_found f;

	if (h->kind != SCAN_FOUND)
		return 0;
	if (h->n != sizeof(f) && h->n != SCAN_FOUND_OLD)
		return err_set(e, EPROTO, "the scanner's finding has %u bytes", h->n);
	f = scan_finding(h, body);
	if (f.action > POLICY_KILL || f.direction >= POLICY_DIRECTIONS ||
	    !memchr(f.rule, 0, sizeof(f.rule)) ||
	    !is_fingerprint(f.fingerprint, sizeof(f.fingerprint)))
		return err_set(e, EPROTO, "the scanner's finding is none");
	return 0;
}

int scan_decode(const void *p, size_t n, struct scan_head *head, const uint8_t **body,
		struct err *e)
{
	struct scan_head h;

	if (n < sizeof(h))
		return err_set(e, EPROTO, "a scanner's message of %zu bytes", n);
	memcpy(&h, p, sizeof(h));
	if (h.kind == SCAN_NONE || h.kind >= SCAN_KINDS || h.stream >= SCAN_STREAMS ||
	    h.n > SCAN_BODY || n != sizeof(h) + h.n || h.terminal > 1)
		return err_set(e, EPROTO, "a scanner's message of kind %u that is none",
			       h.kind);
	if (check_body(&h, (const uint8_t *) p + sizeof(h), e) < 0)
		return -1;
	*head = h;
	*body = (const uint8_t *) p + sizeof(h);
	return 0;
}

int scan_send(int fd, const struct scan_head *head, const void *body, struct err *e)
{
	struct iovec iov[2] = { { (void *) (uintptr_t) head, sizeof(*head) },
				{ (void *) (uintptr_t) body, head->n } };
	const struct msghdr m = { .msg_iov = iov, .msg_iovlen = head->n ? 2 : 1 };
	ssize_t r;

	do
		r = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_sys(e, "say something to the other side of the scanner") : 0;
}

int scan_recv(int fd, void *room, struct scan_head *head, const uint8_t **body, struct err *e)
{
	ssize_t r;

	do
		r = recv(fd, room, SCAN_ROOM, MSG_TRUNC);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == ECONNRESET)
		return 0;
	if (r < 0)
		return err_sys(e, "hear from the other side of the scanner");
	if (r == 0)
		return 0;
	if ((size_t) r > SCAN_ROOM)
		return err_set(e, EPROTO, "a scanner's message of %zd bytes", r);
	return scan_decode(room, (size_t) r, head, body, e) < 0 ? -1 : 1;
}

int scan_queue(struct buf *queue, const struct scan_head *head, const void *body, struct err *e)
{
	uint32_t n = (uint32_t) sizeof(*head) + head->n;

	if (buf_append(queue, &n, sizeof(n), e) < 0 ||
	    buf_append(queue, head, sizeof(*head), e) < 0)
		return -1;
	return buf_append(queue, body, head->n, e);
}

int scan_flush(int fd, struct buf *queue)
{
	while (buf_len(queue) > 0) {
		uint32_t n;
		ssize_t r;

		memcpy(&n, buf_bytes(queue), sizeof(n));
		r = send(fd, buf_bytes(queue) + sizeof(n), n, MSG_NOSIGNAL);
		if (r < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (r < 0)
			return -1;
		buf_consume(queue, sizeof(n) + n);
	}
	buf_fini(queue);
	return 0;
}
