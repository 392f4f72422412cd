#include "images/reference.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

static const char lower_digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char scheme[] = "docker://";
static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_";

/* "[v6]" or a name; *end is what follows. */
static bool host_part(const char *host, const char **end)
{
	size_t n;

	if (*host == '[') {
		n = strspn(host + 1, "0123456789abcdefABCDEF:.");
		*end = host + n + 2;
		return n >= 2 && host[n + 1] == ']';
	}
	n = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_");
	*end = host + n;
	return n > 0 && !memmem(host, n, "..", 2) && host[0] != '-' && host[0] != '.' &&
	       host[n - 1] != '-' && host[n - 1] != '.';
}

static bool is_host(const char *host)
{
	const char *end;
	uint64_t port;
	struct err ignored = ERR_NONE;

	if (strlen(host) > REFERENCE_HOST || !host_part(host, &end))
		return false;
	return *end == '\0' ||
	       (*end == ':' && str_to_u64(end + 1, 65535, "port", &port, &ignored) == 0 &&
		port > 0);
}

int reference_check_host(const char *host, struct err *e)
{
	if (is_host(host))
		return 0;
	return err_set(e, EINVAL, "'%.80s' is no HOST or HOST:PORT", host);
}

/* Letters and digits, with ".", "_", "__" or any number of "-" between them. Returns what follows, NULL: none. */
static const char *component(const char *s)
{
	for (;;) {
		size_t n = strspn(s, lower_digits);

		if (n == 0)
			return NULL;
		s += n;
		if (*s == '-')
			s += strspn(s, "-");
		else if (*s == '.')
			s++;
		else if (*s == '_')
			s += s[1] == '_' ? 2 : 1;
		else
			return s;
	}
}

int reference_check_repo(const char *repo, struct err *e)
{
	const char *s = repo;

	if (strlen(repo) > REFERENCE_REPO)
		return err_set(e, ENAMETOOLONG, "a repository has at most %d bytes",
			       REFERENCE_REPO);
	for (;;) {
		s = component(s);
		if (!s || (*s && *s != '/'))
			return err_set(
				e, EINVAL,
				"'%.80s' is no repository: lower-case letters and digits, "
				"with . _ - between them and / between its parts",
				repo);
		if (*s == '\0')
			return 0;
		s++;
	}
}

static int take_tag(const char *s, struct reference *r, struct err *e)
{
	size_t n = strlen(s);

	if (n == 0 || n > REFERENCE_TAG || strspn(s, word) == 0)
		return err_set(e, EINVAL,
			       "'%.40s' is no tag: 1 to %d letters, digits and . _ - "
			       "after the first",
			       s, REFERENCE_TAG);
	for (size_t i = 0; i < n; i++) {
		if (!strchr(word, s[i]) && s[i] != '.' && s[i] != '-')
			return err_set(e, EINVAL, "'%.40s' is no tag: it has a '%c' in it", s,
				       s[i] >= ' ' && s[i] < 0x7f ? s[i] : '?');
	}
	return str_copy(r->tag, sizeof(r->tag), s, "tag", e);
}

/* Cuts the host off *text, if there is one. */
static int take_host(char **text, const char *default_host, struct reference *r, struct err *e)
{
	char *slash = strchr(*text, '/');

	if (slash) {
		*slash = '\0';
		if (strpbrk(*text, ".:[") || strcmp(*text, "localhost") == 0) {
			if (reference_check_host(*text, e) < 0)
				return -1;
			strncpy(r->host, *text, sizeof(r->host) - 1);
			*text = slash + 1;
			return 0;
		}
		*slash = '/';
	}
	if (!default_host)
		return err_set(
			e, EINVAL,
			"it names no registry: write HOST/%.80s, such as docker.io/%.80s, "
			"or give short names a home with `default` in registries.yaml",
			*text, *text);
	return str_copy(r->host, sizeof(r->host), default_host, "registry", e);
}

static int take_repo(const char *s, struct reference *r, struct err *e)
{
	bool library = strcmp(r->host, "docker.io") == 0 && !strchr(s, '/');

	if (strlen(s) + (library ? strlen("library/") : 0) > REFERENCE_REPO)
		return err_set(e, ENAMETOOLONG, "a repository has at most %d bytes",
			       REFERENCE_REPO);
	strcpy(r->repo, "");
	if (library)
		memcpy(r->repo, "library/", sizeof("library/"));
	strncat(r->repo, s, sizeof(r->repo) - 1 - strlen(r->repo));
	return reference_check_repo(s, e);
}

static int parse(char *text, const char *default_host, struct reference *r, struct err *e)
{
	char *at = strchr(text, '@'), *colon;

	if (at) {
		*at = '\0';
		if (digest_parse(at + 1, "its digest", &r->digest, e) < 0)
			return -1;
	}
	if (take_host(&text, default_host, r, e) < 0)
		return -1;
	colon = strchr(text, ':');
	if (colon) {
		*colon = '\0';
		if (take_tag(colon + 1, r, e) < 0)
			return -1;
	} else if (!at) {
		strcpy(r->tag, "");
		memcpy(r->tag, "latest", sizeof("latest"));
	}
	return take_repo(text, r, e);
}

int reference_parse(const char *text, const char *default_host, struct reference *out,
		    struct err *e)
{
	const size_t limit = REFERENCE_HOST + REFERENCE_REPO + REFERENCE_TAG + 256;
	struct reference r = { 0 };

	if (strlen(text) > limit)
		return err_set(e, ENAMETOOLONG, "a reference of more than %zu bytes", limit);
	/* As skopeo and podman write it. */
	auto_free char *copy =
		xstrdup(text + (str_has_prefix(text, scheme) ? strlen(scheme) : 0));
	if (parse(copy, default_host, &r, e) < 0)
		return err_wrap(e, "%.200s", text);
	*out = r;
	return 0;
}

char *reference_text(const struct reference *r)
{
	if (r->digest.hex[0])
		return xasprintf("%s/%s@%s", r->host, r->repo, digest_text(&r->digest).s);
	return xasprintf("%s/%s:%s", r->host, r->repo, r->tag);
}

const char *reference_wanted(const struct reference *r, struct digest_text *buf)
{
	if (!r->digest.hex[0])
		return r->tag;
	*buf = digest_text(&r->digest);
	return buf->s;
}
