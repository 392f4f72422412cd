/*
 * Any bytes as the head of a request to the relay, and as its file of hosts. What goes on to a host must be one head that says
 * the same to every reader.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "sessiond/dialer/config.h"
#include "sessiond/outbound/head.h"
#include "sessiond/relay/call.h"
#include "sessiond/relay/hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_forwarded(const struct call *c, struct buf *out)
{
	const char *p = buf_str(out);
	size_t n = buf_len(out);
	struct head_text t;
	struct head h;
	struct err e = ERR_NONE;

	require(mux_host_ok(c->host));
	/* One head, and nothing behind it. */
	require(head_length(p, n) == n && strlen(p) == n);
	require(head_parse(p, n, &h, &e) == 0);
	require(head_get(&h, "Host", &t) == 1 && head_get(&h, "Connection", &t) == 1);
	require(head_is(t, c->body == UINT64_MAX ? "Upgrade" : "close"));
	require(head_get(&h, "Transfer-Encoding", &t) == 0);
	require(head_get(&h, "Content-Length", &t) <= 1);
	require(head_get(&h, "X-Forwarded-For", &t) == 0 && head_get(&h, "Forwarded", &t) == 0);
	require(h.start.p[h.start.n - 1] == '1' && memchr(h.start.p, '/', h.start.n));
	for (const char *s = p; *s; s++)
		require(*s != '\n' || (s > p && s[-1] == '\r'));
}

static void try_hosts(const char *text)
{
	struct hosts *h = NULL;
	struct err e = ERR_NONE;

	if (hosts_parse(text, &h, &e) == 0) {
		require(!hosts_allow(h, "nobody", "nothing"));
		hosts_free(h);
	} else {
		require(e.msg[0]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_free char *copy = xstrndup((const char *) data, n);
	auto_buf struct buf out = BUF_LIMIT(2 * HEAD_MAX);
	struct relay_url url;
	struct call c;
	struct err e = ERR_NONE;
	size_t head = head_length(data, n);
	unsigned status;

	try_hosts(copy);
	if (relay_url_parse(copy, &url, &e) == 0)
		require(url.port && url.host[0] && url.path[0] == '/');
	if (!head || head > HEAD_MAX)
		return 0;
	status = call_parse((const char *) data, head, ".relay.test", &c, &out, &e);
	require(status == 0 || (status >= 400 && status < 600 && e.msg[0]));
	if (status == 0 && c.kind == CALL_HOST)
		check_forwarded(&c, &out);
	return 0;
}
