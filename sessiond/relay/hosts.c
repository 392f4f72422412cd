#include "sessiond/relay/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "sessiond/digest.h"
#include "sessiond/outbound/mux.h"

enum { FILE_MAX = 16 << 20 };

struct host {
	char name[MUX_HOST_MAX + 1];
	struct digest token;
};

struct hosts {
	struct host *v; /* sorted by name */
	size_t n;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct host *) a)->name, ((const struct host *) b)->name);
}

static const struct host *find(const struct hosts *h, const char *name)
{
	struct host key = { 0 };

	(void) snprintf(key.name, sizeof(key.name), "%s", name);
	return h->n ? bsearch(&key, h->v, h->n, sizeof(key), by_name) : NULL;
}

static int parse_line(const char *p, size_t n, size_t number, struct host *out, struct err *e)
{
	char line[MUX_HOST_MAX + 80], *hex;

	if (n >= sizeof(line))
		return err_set(e, EINVAL, "line %zu is too long", number);
	memcpy(line, p, n);
	line[n] = 0;
	hex = line + strcspn(line, " \t");
	if (*hex) {
		*hex++ = 0;
		hex += strspn(hex, " \t");
	}
	if (strlen(line) > MUX_HOST_MAX || !mux_host_ok(line))
		return err_set(e, EINVAL, "line %zu: the host is no label of DNS in lower case",
			       number);
	memcpy(out->name, line, strlen(line) + 1);
	if (str_unhex(hex, out->token.bytes, sizeof(out->token.bytes)) < 0)
		return err_set(e, EINVAL,
			       "line %zu: behind the host there are no 64 hex digits", number);
	return 0;
}

static int add(struct hosts *h, const struct host *host, struct err *e)
{
	struct host *v;

	if (h->n == HOSTS_MAX)
		return err_set(e, E2BIG, "more than %d hosts", HOSTS_MAX);
	/* Grows at powers of two. */
	if ((h->n & (h->n - 1)) == 0) {
		v = realloc(h->v, MAX(2 * h->n, (size_t) 1) * sizeof(*v));
		if (!v)
			return err_set(e, ENOMEM, "no memory for %zu hosts", h->n);
		h->v = v;
	}
	h->v[h->n++] = *host;
	return 0;
}

static int parse_all(const char *text, struct hosts *h, struct err *e)
{
	size_t number = 1;

	for (const char *p = text; *p; number++) {
		size_t n = strcspn(p, "\n");
		struct host host = { 0 };

		if (n > 0 && *p != '#' &&
		    (parse_line(p, n, number, &host, e) < 0 || add(h, &host, e) < 0))
			return -1;
		p += n + (p[n] ? 1 : 0);
	}
	if (h->n)
		qsort(h->v, h->n, sizeof(*h->v), by_name);
	for (size_t i = 1; i < h->n; i++)
		if (by_name(&h->v[i - 1], &h->v[i]) == 0)
			return err_set(e, EEXIST, "host %s is there twice", h->v[i].name);
	return 0;
}

int hosts_parse(const char *text, struct hosts **out, struct err *e)
{
	struct hosts *h = xalloc(sizeof(*h));

	if (parse_all(text, h, e) < 0) {
		hosts_free(h);
		return -1;
	}
	*out = h;
	return 0;
}

int hosts_load(const char *path, struct hosts **out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(FILE_MAX);

	if (fd_read_file(AT_FDCWD, path, FILE_MAX - 1, &text, e) < 0)
		return err_wrap(e, "hosts");
	return hosts_parse(buf_str(&text), out, e) < 0 ? err_wrap(e, "hosts: %s", path) : 0;
}

void hosts_free(struct hosts *h)
{
	if (!h)
		return;
	free(h->v);
	free(h);
}

size_t hosts_count(const struct hosts *h)
{
	return h->n;
}

bool hosts_allow(const struct hosts *h, const char *host, const char *token)
{
	static const struct host nobody;
	const struct host *known = find(h, host);
	struct digest d = digest_sha256(token, strlen(token));
	bool same = bytes_equal_ct(d.bytes, (known ? known : &nobody)->token.bytes,
				   sizeof(d.bytes));

	return known && same;
}

bool hosts_same(const struct hosts *a, const struct hosts *b, const char *host)
{
	const struct host *x = find(a, host), *y = find(b, host);

	return x && y && memcmp(&x->token, &y->token, sizeof(x->token)) == 0;
}

void hosts_new_token(const char *host, char token[TOKEN_LEN + 1], char line[192])
{
	uint8_t secret[32];
	struct digest d;
	char hex[65];

	random_bytes(secret, sizeof(secret));
	(void) snprintf(token, TOKEN_LEN + 1, "crt_");
	str_base64url(secret, sizeof(secret), token + 4);
	d = digest_sha256(token, strlen(token));
	str_hex(d.bytes, sizeof(d.bytes), hex);
	(void) snprintf(line, 192, "%s %s", host, hex);
}
