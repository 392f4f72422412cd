/* Addresses, and sentences about what went wrong. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "images/registry/job.h"

/* Host, repository and reference have been checked: nothing in them needs to be quoted. */
void job_address(struct job *j, const char *path, ...)
{
	const struct registry_setup *s = &j->service->setup;
	int n = snprintf(j->url, sizeof(j->url), "%s://%s/v2/%s/",
			 s->scheme == REGISTRY_HTTP ? "http" : "https", s->host, j->q.repo);
	va_list args;

	va_start(args, path);
	vsnprintf(j->url + n, sizeof(j->url) - (size_t) n, path, args);
	va_end(args);
}

/* {"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]} */
static void registrys_words(const struct job *j, char *out, size_t room)
{
	auto_json struct json_doc *doc = NULL;
	struct err ignored = ERR_NONE;
	const struct json *first;
	const char *message;

	*out = '\0';
	if (buf_len(&j->http.small) == 0 ||
	    json_parse((const char *) buf_bytes(&j->http.small), buf_len(&j->http.small), NULL,
		       &doc, &ignored) < 0)
		return;
	first = json_at_index(json_get(json_root(doc), "errors"), 0);
	message = json_str_or(first, "message", json_str_or(first, "code", ""));
	registry_text(out, room, message, strlen(message));
}

static int refused(const struct job *j, const char *words, struct err *e)
{
	const char *between = *words ? ": " : "";

	if (!auth_has_credentials(&j->service->auth))
		return err_set(e, EACCES,
			       "the registry wants to know who asks, and no credentials for it "
			       "were found%s%s",
			       between, words);
	return err_set(e, EACCES, "the registry does not accept the credentials%s%s", between,
		       words);
}

int job_explain(const struct job *j, struct err *e)
{
	char words[200];

	registrys_words(j, words, sizeof(words));
	const char *between = *words ? ": " : "";
	switch (j->http.status) {
	case 401:
	case 403:
		return refused(j, words, e);
	case 404:
		return err_set(e, ENOENT, "the registry does not have it%s%s", between, words);
	case 429:
		return err_set(e, EAGAIN, "the registry says that it was asked too often%s%s",
			       between, words);
	case 416:
		return err_set(e, EPROTO, "the registry has no more than %llu of its bytes",
			       (unsigned long long) j->http.sink.written);
	default:
		return err_set(e, EPROTO, "the registry answers %ld%s%s", j->http.status,
			       between, words);
	}
}

static int explain_abort(const struct job *j, struct err *e)
{
	const struct http *h = &j->http;

	if (h->too_much_header)
		return err_set(e, EPROTO, "the head of the answer has more than %d bytes",
			       HTTP_HEADER_BYTES);
	if (h->too_much_body)
		return err_set(e, EFBIG, "more than the %llu bytes it may have",
			       (unsigned long long) (h->sink.fd >= 0 && h->status < 300
							     ? h->sink.limit
							     : h->small_limit));
	if (h->bad_range)
		return err_set(e, EPROTO, "the answer to a request for a part is another part");
	return err_set(e, ECANCELED, "nobody wants it any more");
}

int job_explain_curl(const struct job *j, CURLcode code, struct err *e)
{
	char words[300];
	const char *why = j->http.why[0] ? j->http.why : curl_easy_strerror(code);

	registry_text(words, sizeof(words), why, strlen(why));
	switch (code) {
	case CURLE_WRITE_ERROR:
		return explain_abort(j, e);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return err_set(e, EACCES,
			       "%s; if its certificate is your own, name its CA with `ca` in "
			       "registries.yaml",
			       words);
	case CURLE_SSL_CONNECT_ERROR:
		return err_set(e, EPROTO,
			       "%s; if it speaks plain HTTP, say so with `plain: true` in "
			       "registries.yaml",
			       words);
	default:
		return err_set(e, EIO, "%s", words);
	}
}
