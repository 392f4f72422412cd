#include "sessiond/target.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

static const char unreserved[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

static int add_segment(struct target *t, const char *s, struct err *e)
{
	if (*s == 0 || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return err_set(e, EINVAL, "path: an empty, . or .. segment");
	if (s[strspn(s, unreserved)])
		return err_set(e, EINVAL,
			       "path: a character other than letters, digits, - . _ ~");
	if (t->n_segments == TARGET_SEGMENTS)
		return err_set(e, EINVAL, "path: more than %d segments", TARGET_SEGMENTS);
	t->segments[t->n_segments++] = s;
	return 0;
}

static int parse_path(struct target *t, char *s, struct err *e)
{
	if (*s++ != '/')
		return err_set(e, EINVAL, "path: it does not begin with /");
	while (*s) {
		char *slash = strchrnul(s, '/'), *next = *slash ? slash + 1 : slash;

		*slash = 0;
		if (add_segment(t, s, e) < 0)
			return -1;
		s = next;
	}
	return 0;
}

/* In place: the text only becomes shorter. */
static int decode(char *s, struct err *e)
{
	char *to = s;

	for (; *s; s++) {
		char c = *s;

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			char hex[3] = { s[1], s[1] ? s[2] : 0, 0 };

			if (str_unhex(hex, &c, 1) < 0 || c == 0)
				return err_set(
					e, EINVAL,
					"query: a %% without two hexadecimal digits, or %%00");
			s += 2;
		}
		*to++ = c;
	}
	*to = 0;
	return 0;
}

static int add_pair(struct target *t, char *s, struct err *e)
{
	char *equals = strchr(s, '=');

	if (*s == 0)
		return 0;
	if (t->n_query == TARGET_QUERY)
		return err_set(e, EINVAL, "query: more than %d parameters", TARGET_QUERY);
	if (equals)
		*equals = 0;
	if (decode(s, e) < 0 || (equals && decode(equals + 1, e) < 0))
		return -1;
	if (target_query(t, s))
		return err_set(e, EINVAL, "query: %.40s is there twice", s);
	t->query[t->n_query++] = (struct target_pair){ s, equals ? equals + 1 : "" };
	return 0;
}

static int parse_query(struct target *t, char *s, struct err *e)
{
	while (s) {
		char *end = strchr(s, '&'), *next = end ? end + 1 : NULL;

		if (end)
			*end = 0;
		if (add_pair(t, s, e) < 0)
			return -1;
		s = next;
	}
	return 0;
}

int target_parse(const char *uri, struct target *out, struct err *e)
{
	size_t n = strlen(uri), n_path = strcspn(uri, "?");
	char *query = NULL;

	out->path[0] = 0;
	out->n_segments = out->n_query = 0;
	if (n >= TARGET_MAX)
		return err_set(e, ENAMETOOLONG, "request target: longer than %d bytes",
			       TARGET_MAX - 1);
	memcpy(out->text, uri, n + 1);
	if (uri[n_path] == '?') {
		out->text[n_path] = 0;
		query = out->text + n_path + 1;
	}
	if (parse_path(out, out->text, e) < 0)
		return -1;
	memcpy(out->path, uri, n_path);
	out->path[n_path] = 0;
	return parse_query(out, query, e);
}

const char *target_query(const struct target *t, const char *name)
{
	for (size_t i = 0; i < t->n_query; i++) {
		if (strcmp(t->query[i].name, name) == 0)
			return t->query[i].value;
	}
	return NULL;
}

int target_query_u64(const struct target *t, const char *name, uint64_t min, uint64_t max,
		     uint64_t *out, struct err *e)
{
	const char *s = target_query(t, name);
	struct err why = ERR_NONE;
	uint64_t n;

	if (!s)
		return 0;
	if (str_to_u64(s, UINT64_MAX, name, &n, &why) < 0 || n < min || n > max)
		return err_set(e, EINVAL, "%s: is not a whole number from %llu to %llu", name,
			       (unsigned long long) min, (unsigned long long) max);
	*out = n;
	return 1;
}

int target_query_only(const struct target *t, const char *const *names, struct err *e)
{
	for (size_t i = 0; i < t->n_query; i++) {
		const char *const *n = names;

		while (*n && strcmp(*n, t->query[i].name) != 0)
			n++;
		if (!*n)
			return err_set(e, EINVAL, "query: unknown parameter");
	}
	return 0;
}
