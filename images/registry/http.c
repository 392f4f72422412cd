#include "images/registry/http.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "images/registry_message.h"
#include "version.h"

enum { BUFFER = 256 << 10 };

int http_client_init(struct http_client *c, bool plain, void *ca, size_t n, struct err *e)
{
	*c = (struct http_client){ .plain = plain,
				   .ca = { .data = ca, .len = n, .flags = CURL_BLOB_NOCOPY },
				   .multi = curl_multi_init(),
				   .share = curl_share_init() };
	if (!c->multi || !c->share) {
		http_client_fini(c);
		return err_set(e, ENOMEM, "libcurl does not start");
	}
	curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	return 0;
}

void http_client_fini(struct http_client *c)
{
	if (c->multi)
		curl_multi_cleanup(c->multi);
	if (c->share)
		curl_share_cleanup(c->share);
	*c = (struct http_client){ 0 };
}

/* ---- what comes ---- */

struct header {
	const char *name;
	size_t at, room;
};

static const struct header kept[] = {
	{ "Content-Type", offsetof(struct http, content_type), 128 },
	{ "Docker-Content-Digest", offsetof(struct http, digest), 160 },
	{ "Location", offsetof(struct http, location), HTTP_URL },
	{ "WWW-Authenticate", offsetof(struct http, challenge), CHALLENGE_BYTES + 1 },
};

static bool header_is(const char *line, size_t n, const char *name, const char **value,
		      size_t *n_value)
{
	size_t k = strlen(name);

	if (n <= k || line[k] != ':' || strncasecmp(line, name, k) != 0)
		return false;
	for (k++; k < n && (line[k] == ' ' || line[k] == '\t');)
		k++;
	while (n > k && strchr("\r\n \t", line[n - 1]))
		n--;
	*value = line + k;
	*n_value = n - k;
	return true;
}

/* A second challenge stands behind the first: they are one list. */
static void keep(struct http *h, const struct header *f, const char *value, size_t n)
{
	char *to = (char *) h + f->at;
	size_t used = strlen(to);

	if (used > 0 && strcmp(f->name, "WWW-Authenticate") == 0 && used + 2 < f->room) {
		to[used++] = ',';
		to[used] = '\0';
	} else {
		used = 0;
	}
	if (used + n < f->room)
		registry_text(to + used, f->room - used, value, n);
	else
		h->too_much_header = true;
}

/* "bytes 100-199/200": 100. */
static void take_range(struct http *h, const char *value, size_t n)
{
	auto_free char *text = xstrndup(value, n);
	char *dash = strchr(text, '-');
	struct err ignored = ERR_NONE;

	if (!dash || strncasecmp(text, "bytes ", 6) != 0) {
		h->bad_range = true;
		return;
	}
	*dash = '\0';
	if (str_to_u64(text + 6, UINT64_MAX, "range", &h->sink.at, &ignored) < 0)
		h->bad_range = true;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	const char *value;
	size_t n_value;

	n *= size;
	h->header_bytes += n;
	if (h->header_bytes > HTTP_HEADER_BYTES)
		h->too_much_header = true;
	if (n > 5 && strncasecmp(line, "HTTP/", 5) == 0)
		h->sink.at = 0; /* after a "100 Continue" a new head begins */
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (header_is(line, n, kept[i].name, &value, &n_value))
			keep(h, &kept[i], value, n_value);
	}
	if (header_is(line, n, "Content-Range", &value, &n_value))
		take_range(h, value, n_value);
	return h->too_much_header ? 0 : n;
}

static size_t into_small(struct http *h, const char *p, size_t n)
{
	struct err ignored = ERR_NONE;

	if (buf_append(&h->small, p, n, &ignored) < 0) {
		h->too_much_body = true;
		return 0;
	}
	return n;
}

/* What was written before a cut, or before the pipe was full, is passed over. A part that was written of a piece
 * that has to come again counts in `written` only. */
static size_t into_pipe(struct http_sink *s, const char *p, size_t n, bool *gap)
{
	uint64_t skip = s->written - s->at;

	if (s->at > s->written) {
		*gap = true;
		return 0;
	}
	while (skip < n) {
		ssize_t w = write(s->fd, p + skip, n - skip);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN) {
			s->full = true;
			return CURL_WRITEFUNC_PAUSE;
		}
		if (w < 0) {
			s->closed = true;
			return 0;
		}
		skip += (uint64_t) w;
		s->written += (uint64_t) w;
	}
	s->at += n;
	return n;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	long status = 0;

	n *= size;
	(void) curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	if (h->sink.fd < 0 || status < 200 || status > 299)
		return into_small(h, p, n);
	if (h->sink.at + n > h->sink.limit) {
		h->too_much_body = true;
		return 0;
	}
	return into_pipe(&h->sink, p, n, &h->bad_range);
}

/* ---- what goes ---- */

static size_t on_read(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	uint64_t left = h->source_n - h->source_done;
	ssize_t r;

	n = MIN(n * size, left);
	if (n == 0)
		return 0;
	do
		r = pread(h->source_fd, p, n, (off_t) (h->source_at + h->source_done));
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return CURL_READFUNC_ABORT;
	h->source_done += (uint64_t) r;
	return (size_t) r;
}

static int on_seek(void *arg, curl_off_t at, int whence)
{
	struct http *h = arg;

	if (whence != SEEK_SET || at < 0 || (uint64_t) at > h->source_n)
		return CURL_SEEKFUNC_FAIL;
	h->source_done = (uint64_t) at;
	return CURL_SEEKFUNC_OK;
}

static void add_header(struct http *h, const char *name, const char *value)
{
	auto_free char *line = xasprintf("%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(h->headers, line);

	if (longer)
		h->headers = longer;
}

static void set_headers(struct http *h)
{
	h->headers = curl_slist_append(NULL, "Expect:"); /* it would only cost a second */
	if (h->accept)
		add_header(h, "Accept", h->accept);
	if (h->type)
		add_header(h, "Content-Type", h->type);
	if (h->content_range)
		add_header(h, "Content-Range", h->content_range);
	if (h->auth)
		add_header(h, "Authorization", h->auth);
	curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers);
}

static void set_verb(struct http *h)
{
	CURL *c = h->easy;

	switch (h->verb) {
	case HTTP_GET:
		break;
	case HTTP_HEAD:
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
		break;
	case HTTP_POST:
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, h->form ? h->form : "");
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, h->form ? -1L : 0L);
		break;
	case HTTP_PUT:
	case HTTP_PATCH:
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t) h->source_n);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(c, CURLOPT_READDATA, h);
		curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(c, CURLOPT_SEEKDATA, h);
		curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, (long) BUFFER);
		if (h->verb == HTTP_PATCH)
			curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "PATCH");
	}
}

static void set_common(const struct http_client *client, struct http *h, void *owner)
{
	CURL *c = h->easy;

	curl_easy_setopt(c, CURLOPT_PRIVATE, owner);
	curl_easy_setopt(c, CURLOPT_URL, h->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, client->plain ? "http,https" : "https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "carrel/" CARREL_VERSION);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_SHARE, client->share);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long) BUFFER);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->why);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, client->connect_s);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, client->stall_s);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	if (client->ca.len > 0)
		curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &client->ca);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
}

int http_start(struct http_client *c, struct http *h, void *owner, struct err *e)
{
	char range[32];

	h->easy = curl_easy_init();
	if (!h->easy)
		return err_set(e, ENOMEM, "libcurl has no memory");
	h->status = 0;
	h->header_bytes = 0;
	h->too_much_header = h->too_much_body = h->bad_range = false;
	h->content_type[0] = h->digest[0] = h->location[0] = h->challenge[0] = h->why[0] = '\0';
	h->sink.at = 0;
	h->sink.full = false;
	h->source_done = 0;
	buf_clear(&h->small);
	h->small.limit = h->small_limit;
	set_common(c, h, owner);
	set_verb(h);
	set_headers(h);
	if (h->resume && h->sink.written > 0) {
		snprintf(range, sizeof(range), "%llu-", (unsigned long long) h->sink.written);
		curl_easy_setopt(h->easy, CURLOPT_RANGE, range);
	}
	if (curl_multi_add_handle(c->multi, h->easy) != CURLM_OK)
		return err_set(e, ENOMEM, "libcurl takes no more transfers");
	return 0;
}

void http_end(struct http *h)
{
	(void) curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &h->status);
}

void http_clear(struct http_client *c, struct http *h)
{
	if (h->easy) {
		(void) curl_multi_remove_handle(c->multi, h->easy);
		curl_easy_cleanup(h->easy);
	}
	h->easy = NULL;
	curl_slist_free_all(h->headers);
	h->headers = NULL;
	buf_fini(&h->small);
}

/* ---- addresses ---- */

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
	char *x = NULL, *y = NULL;
	bool same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    strcasecmp(x, y) == 0;

	curl_free(x);
	curl_free(y);
	return same;
}

bool http_same_origin(const char *a, const char *b)
{
	CURLU *x = curl_url(), *y = curl_url();
	bool same = x && y && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
		    curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK &&
		    same_part(x, y, CURLUPART_SCHEME) && same_part(x, y, CURLUPART_HOST) &&
		    same_part(x, y, CURLUPART_PORT);

	curl_url_cleanup(x);
	curl_url_cleanup(y);
	return same;
}

static bool has_user(CURLU *u)
{
	char *user = NULL;
	bool has = curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK;

	curl_free(user);
	return has;
}

int http_resolve(const char *base, const char *to, char out[HTTP_URL], struct err *e)
{
	CURLU *u = curl_url();
	char *text = NULL;
	int r = -1;

	if (!u || curl_url_set(u, CURLUPART_URL, base, 0) != CURLUE_OK ||
	    curl_url_set(u, CURLUPART_URL, to, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_URL, &text, 0) != CURLUE_OK)
		(void) err_set(e, EPROTO, "the server leads to '%.200s', which is no address",
			       to);
	else if (has_user(u))
		(void) err_set(e, EPROTO,
			       "the server leads to an address with a password in it");
	else if (!str_has_prefix(text, "https://") && !str_has_prefix(text, "http://"))
		(void) err_set(e, EPROTO, "the server leads to '%.200s', which is not HTTP",
			       to);
	else
		r = str_copy(out, HTTP_URL, text, "the address", e);
	curl_free(text);
	curl_url_cleanup(u);
	return r;
}
