#include "images/registry/auth.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/* Without expires_in a token serves 60 seconds, says the registry's specification; a little less is safe. */
enum { DEFAULT_SECONDS = 60, MARGIN_SECONDS = 5, MAX_SECONDS = 3600, URL_MAX = 8192 };

static void free_secret(char **s)
{
	if (*s)
		OPENSSL_cleanse(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void auth_fini(struct auth *a)
{
	for (size_t i = 0; i < AUTH_TOKENS; i++)
		free_secret(&a->tokens[i].value);
}

void auth_scope(const struct registry_request *q, char out[AUTH_SCOPE])
{
	bool push = q->op == REGISTRY_PUT_BLOB || q->op == REGISTRY_PUT_MANIFEST;
	int n = snprintf(out, AUTH_SCOPE, "repository:%s:pull%s", q->repo, push ? ",push" : "");

	if (q->op == REGISTRY_PUT_BLOB && q->from[0])
		snprintf(out + n, AUTH_SCOPE - (size_t) n, " repository:%s:pull", q->from);
}

bool auth_has_credentials(const struct auth *a)
{
	return a->setup->secret[0] != '\0';
}

static struct auth_token *find(const struct auth *a, const char *scope)
{
	for (size_t i = 0; i < AUTH_TOKENS; i++) {
		const struct auth_token *t = &a->tokens[i];

		if (t->value && strcmp(t->scope, scope) == 0)
			return (struct auth_token *) t;
	}
	return NULL;
}

char *auth_service_header(const struct auth *a)
{
	const struct registry_setup *s = a->setup;
	auto_free char *pair = NULL;
	size_t n;

	if (!s->user[0])
		return NULL;
	pair = xasprintf("%s:%s", s->user, s->secret);
	n = strlen(pair);
	auto_free char *code = xalloc(4 * ((n + 2) / 3) + 1);
	EVP_EncodeBlock((unsigned char *) code, (const unsigned char *) pair, (int) n);
	OPENSSL_cleanse(pair, n);
	return xasprintf("Basic %s", code);
}

char *auth_header(const struct auth *a, const char *scope)
{
	const struct auth_token *t = find(a, scope);

	if (t && t->until_ms > clock_mono_ms())
		return xasprintf("Bearer %s", t->value);
	return a->basic ? auth_service_header(a) : NULL;
}

static int add(struct buf *b, const char *before, const char *text, struct err *e)
{
	char *quoted = curl_easy_escape(NULL, text, (int) strlen(text));
	int r = quoted ? buf_printf(b, e, "%s%s", before, quoted)
		       : err_set(e, ENOMEM, "libcurl has no memory");

	curl_free(quoted);
	return r;
}

/* In an address each scope is a parameter of its own. */
static int add_scopes(struct buf *b, const char *scope, struct err *e)
{
	auto_free char *copy = xstrdup(scope);
	char *rest = copy;

	for (char *one; (one = strsep(&rest, " "));) {
		if (add(b, "&scope=", one, e) < 0)
			return -1;
	}
	return 0;
}

static int write_form(const struct auth *a, const struct challenge *c, const char *scope,
		      struct buf *b, struct err *e)
{
	if (add(b, "grant_type=refresh_token&client_id=carrel&service=", c->service, e) < 0 ||
	    add(b, "&refresh_token=", a->setup->secret, e) < 0)
		return -1;
	return add(b, "&scope=", scope, e);
}

int auth_token_request(const struct auth *a, const struct challenge *c, const char *scope,
		       char **url, char **form, struct err *e)
{
	auto_buf struct buf address = BUF_LIMIT(URL_MAX), body = BUF_LIMIT(3 * REGISTRY_SECRET);
	bool https = str_has_prefix(c->realm, "https://");

	if (!https &&
	    (a->setup->scheme == REGISTRY_HTTPS || !str_has_prefix(c->realm, "http://")))
		return err_set(e, EPROTO,
			       "it names the token service '%.100s'; only one with https:// is "
			       "asked",
			       c->realm);
	if (auth_has_credentials(a) && !a->setup->user[0]) {
		if (write_form(a, c, scope, &body, e) < 0)
			return -1;
		*url = xstrdup(c->realm);
		*form = buf_take_str(&body);
		return 0;
	}
	if (buf_puts(&address, c->realm, e) < 0 ||
	    add(&address, strchr(c->realm, '?') ? "&service=" : "?service=", c->service, e) <
		    0 ||
	    add_scopes(&address, scope, e) < 0)
		return -1;
	*url = buf_take_str(&address);
	*form = NULL;
	return 0;
}

static bool is_token(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	}
	return n > 0 && n <= AUTH_TOKEN;
}

int auth_take_token(struct auth *a, const char *scope, const void *text, size_t n,
		    struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	const char *token;
	int64_t seconds;

	if (json_parse(text, n, NULL, &doc, e) < 0)
		return err_wrap(e, "the token service's answer");
	token = json_str_or(json_root(doc), "token", NULL);
	token = token ? token : json_str_or(json_root(doc), "access_token", "");
	if (!is_token(token))
		return err_set(e, EPROTO, "the token service gives no token");
	seconds = json_int_or(json_root(doc), "expires_in", DEFAULT_SECONDS);
	seconds = seconds < DEFAULT_SECONDS ? DEFAULT_SECONDS : MIN(seconds, MAX_SECONDS);
	auth_drop_token(a, scope);
	struct auth_token *t = &a->tokens[a->next++ % AUTH_TOKENS];
	free_secret(&t->value);
	if (str_copy(t->scope, sizeof(t->scope), scope, "the scope", e) < 0)
		return -1;
	t->value = xstrdup(token);
	t->until_ms = clock_mono_ms() + (uint64_t) (seconds - MARGIN_SECONDS) * 1000;
	return 0;
}

void auth_drop_token(struct auth *a, const char *scope)
{
	struct auth_token *t = find(a, scope);

	if (t)
		free_secret(&t->value);
}
