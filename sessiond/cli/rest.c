#include "sessiond/cli/rest.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/cli/cli.h"

enum { ANSWER_MAX = 16 << 20, TIMEOUT_MS = 60000, CONNECT_MS = 10000 };

static const char default_url[] = "http://127.0.0.1:7681";

/* It stands in a header line. */
static int check_key(const char *key, struct err *e)
{
	for (const char *p = key; *p; p++)
		if (*p <= ' ' || *p > '~')
			return err_set(e, EINVAL,
				       "the key holds a blank or a control character");
	return 0;
}

static int read_key(const char *file, char **out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(4096);
	const char *s;

	if (fd_read_file(AT_FDCWD, file, 4096, &text, e) < 0)
		return err_wrap(e, "--key-file");
	s = buf_str(&text);
	*out = xstrndup(s, strcspn(s, "\r\n"));
	return 0;
}

static int set_base(struct rest *r, const char *url, struct err *e)
{
	size_t n = strlen(url);

	if (str_has_prefix(url, "unix:/")) {
		r->unix_path = xstrdup(url + strlen("unix:"));
		r->base = xstrdup("http://localhost");
		return 0;
	}
	if (!str_has_prefix(url, "http://") && !str_has_prefix(url, "https://"))
		return err_set(e, EINVAL, "--url %s: begins with http://, https:// or unix:/",
			       url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	r->base = xstrndup(url, n);
	return 0;
}

int rest_open(const struct cli *c, struct rest *out, struct err *e)
{
	*out = (struct rest){ 0 };
	if (set_base(out, c->url ? c->url : default_url, e) < 0 ||
	    (c->key_file && read_key(c->key_file, &out->key, e) < 0))
		return -1;
	if (!out->key && c->key)
		out->key = xstrdup(c->key);
	if (c->ca)
		out->ca = xstrdup(c->ca);
	if (out->key && check_key(out->key, e) < 0) {
		rest_close(out);
		return -1;
	}
	return 0;
}

void rest_close(struct rest *r)
{
	free(r->base);
	free(r->unix_path);
	free(r->key);
	free(r->ca);
	*r = (struct rest){ 0 };
}

static CURL *new_handle(const struct rest *r, const char *path, char error[CURL_ERROR_SIZE])
{
	auto_free char *url = xasprintf("%s%s", r->base, path);
	CURL *h = curl_easy_init();

	if (!h)
		return NULL;
	error[0] = '\0';
	(void) curl_easy_setopt(h, CURLOPT_ERRORBUFFER, error);
	(void) curl_easy_setopt(h, CURLOPT_URL, url);
	(void) curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	(void) curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	(void) curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long) CONNECT_MS);
	(void) curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	if (r->ca)
		(void) curl_easy_setopt(h, CURLOPT_CAINFO, r->ca);
	if (r->unix_path)
		(void) curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, r->unix_path);
	return h;
}

static int curl_error(const struct rest *r, CURLcode code, const char *error, struct err *e)
{
	return err_set(e, code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : ECONNREFUSED, "%s: %s",
		       r->unix_path ? r->unix_path : r->base,
		       *error ? error : curl_easy_strerror(code));
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
	struct err ignored = ERR_NONE;

	return buf_append(arg, p, size * n, &ignored) < 0 ? 0 : size * n;
}

static int status_code(long status)
{
	return status == 404 ? ENOENT : status == 401 || status == 403 ? EACCES : EIO;
}

/* {"title":...,"detail":...} of RFC 9457, or whatever an intermediary put there. */
static int problem(long status, const struct json_doc *doc, struct err *e)
{
	const struct json *root = doc ? json_root((struct json_doc *) doc) : NULL;
	const char *detail = json_str_or(root, "detail", NULL);
	const char *title = json_str_or(root, "title", NULL);

	if (detail)
		return err_set(e, status_code(status), "%s", detail);
	return err_set(e, status_code(status), "the server answers %ld%s%s", status,
		       title ? " " : "", title ? title : "");
}

/* *handle (may be NULL) is set before `take` is called, for its questions. */
static int perform(const struct rest *r, const char *method, const char *path, const char *send,
		   curl_write_callback take, void *arg, CURL **handle, long *status,
		   struct err *e)
{
	auto_free char *bearer = r->key ? xasprintf("Authorization: Bearer %s", r->key) : NULL;
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
	char error[CURL_ERROR_SIZE];
	CURL *h = new_handle(r, path, error);
	CURLcode code;

	if (!h || !headers) {
		curl_slist_free_all(headers);
		curl_easy_cleanup(h);
		return err_set(e, ENOMEM, "libcurl does not start");
	}
	if (bearer)
		headers = curl_slist_append(headers, bearer);
	if (send) {
		headers = curl_slist_append(headers, "Content-Type: application/json");
		(void) curl_easy_setopt(h, CURLOPT_POSTFIELDS, send);
	}
	(void) curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	(void) curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	(void) curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long) TIMEOUT_MS);
	(void) curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
	(void) curl_easy_setopt(h, CURLOPT_WRITEDATA, arg);
	if (handle)
		*handle = h;
	code = curl_easy_perform(h);
	(void) curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, status);
	curl_easy_cleanup(h);
	curl_slist_free_all(headers);
	return code == CURLE_OK ? 0 : curl_error(r, code, error, e);
}

static int request(const struct rest *r, const char *method, const char *path, const char *send,
		   struct json_doc **out, struct err *e)
{
	static const struct json_limits limits = { ANSWER_MAX, 16, 1000000 };
	auto_buf struct buf body = BUF_LIMIT(ANSWER_MAX);
	auto_json struct json_doc *doc = NULL;
	struct err bad = ERR_NONE;
	long status = 0;

	if (perform(r, method, path, send, take_body, &body, NULL, &status, e) < 0)
		return -1;
	if (buf_len(&body) > 0)
		(void) json_parse((const char *) buf_bytes(&body), buf_len(&body), &limits,
				  &doc, &bad);
	if (status < 200 || status > 299)
		return problem(status, doc, e);
	if (bad.code)
		return err_set(e, EPROTO, "the server's answer: %s", bad.msg);
	if (out)
		*out = take_ptr(&doc);
	return 0;
}

/* Of a bad answer the body is the problem's. */
struct fetch {
	CURL *h;
	int fd;
	struct buf problem;
};

static size_t take_file(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	struct err ignored = ERR_NONE;
	long status = 0;

	(void) curl_easy_getinfo(f->h, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status > 299)
		return take_body(p, size, n, &f->problem);
	return fd_write_all(f->fd, p, size * n, &ignored) < 0 ? 0 : size * n;
}

int rest_fetch(const struct rest *r, const char *path, int fd, struct err *e)
{
	struct fetch f = { .fd = fd, .problem = BUF_LIMIT(ANSWER_MAX) };
	auto_json struct json_doc *doc = NULL;
	struct err ignored = ERR_NONE;
	long status = 0;
	int done = perform(r, "GET", path, NULL, take_file, &f, &f.h, &status, e);

	if (done == 0 && (status < 200 || status > 299)) {
		if (buf_len(&f.problem) > 0)
			(void) json_parse((const char *) buf_bytes(&f.problem),
					  buf_len(&f.problem), NULL, &doc, &ignored);
		done = problem(status, doc, e);
	}
	buf_fini(&f.problem);
	return done;
}

int rest_call(const struct rest *r, const char *method, const char *path, struct json_doc **out,
	      struct err *e)
{
	return request(r, method, path, NULL, out, e);
}

int rest_post(const struct rest *r, const char *path, const char *body, struct json_doc **out,
	      struct err *e)
{
	return request(r, "POST", path, body, out, e);
}

void *rest_connect(const struct rest *r, struct err *e)
{
	char error[CURL_ERROR_SIZE];
	CURL *h = new_handle(r, "/", error);
	CURLcode code;

	if (!h) {
		(void) err_set(e, ENOMEM, "libcurl does not start");
		return NULL;
	}
	(void) curl_easy_setopt(h, CURLOPT_CONNECT_ONLY, 1L);
	code = curl_easy_perform(h);
	/* The buffer is on this stack. */
	(void) curl_easy_setopt(h, CURLOPT_ERRORBUFFER, NULL);
	if (code == CURLE_OK)
		return h;
	(void) curl_error(r, code, error, e);
	curl_easy_cleanup(h);
	return NULL;
}
