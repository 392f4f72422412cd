/* RFC 9110, 11.6.1: challenges and their parameters are both separated by commas; a scheme is a token that no "="
 * follows. */
#include "images/challenge.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/util.h"

struct scan {
	const char *p, *begin;
	struct challenge now; /* the challenge whose parameters are read */
};

static bool token_char(char c)
{
	return c && (isalnum((unsigned char) c) || strchr("!#$%&'*+-.^_`|~", c));
}

static void skip(struct scan *s, const char *what)
{
	s->p += strspn(s->p, what);
}

/* Into buf if it fits; returns its length, 0: none. */
static size_t token(struct scan *s, char *buf, size_t room)
{
	size_t n = 0;

	while (token_char(s->p[n]))
		n++;
	if (n == 0 || n >= room)
		return 0;
	memcpy(buf, s->p, n);
	buf[n] = '\0';
	s->p += n;
	return n;
}

static int quoted(struct scan *s, char *buf, size_t room, struct err *e)
{
	size_t n = 0;

	for (s->p++; *s->p != '"'; s->p++) {
		if (*s->p == '\\')
			s->p++;
		if (*s->p == '\0')
			return err_set(e, EINVAL, "a quote is not closed");
		if ((unsigned char) *s->p < ' ' || *s->p == 0x7f)
			return err_set(e, EINVAL, "a control character in a value");
		if (n + 1 >= room)
			return err_set(e, EFBIG, "a value of more than %zu bytes", room - 1);
		buf[n++] = *s->p;
	}
	s->p++;
	buf[n] = '\0';
	return 0;
}

static int value(struct scan *s, char *buf, size_t room, struct err *e)
{
	if (*s->p == '"')
		return quoted(s, buf, room, e);
	/* Scopes have colons in them, and not everybody quotes them. */
	size_t n = strcspn(s->p, ", \t\"");

	if (n >= room)
		return err_set(e, EFBIG, "a value of more than %zu bytes", room - 1);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char) s->p[i] < ' ' || s->p[i] == 0x7f)
			return err_set(e, EINVAL, "a control character in a value");
	}
	memcpy(buf, s->p, n);
	buf[n] = '\0';
	s->p += n;
	return 0;
}

static void keep(struct challenge *best, const struct challenge *c)
{
	if (c->scheme > best->scheme && (c->scheme != CHALLENGE_BEARER || c->realm[0]))
		*best = *c;
}

static int set_param(struct challenge *c, const char *name, const char *text, struct err *e)
{
	const struct {
		const char *name;
		char *to;
	} rows[] = { { "realm", c->realm }, { "service", c->service }, { "scope", c->scope } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcasecmp(rows[i].name, name) != 0)
			continue;
		if (rows[i].to[0])
			return err_set(e, EINVAL, "%s: given twice", rows[i].name);
		memcpy(rows[i].to, text, strlen(text) + 1);
	}
	return 0;
}

/* A scheme, or a parameter of the last one. */
static int item(struct scan *s, struct challenge *best, struct err *e)
{
	char name[64], text[CHALLENGE_TEXT];

	if (token(s, name, sizeof(name)) == 0)
		return err_set(e, EINVAL, "a scheme or a parameter is expected at byte %td",
			       s->p - s->begin);
	skip(s, " \t");
	if (*s->p != '=') {
		keep(best, &s->now);
		s->now = (struct challenge){ .scheme = strcasecmp(name, "Basic") == 0
							       ? CHALLENGE_BASIC
						       : strcasecmp(name, "Bearer") == 0
							       ? CHALLENGE_BEARER
							       : CHALLENGE_NONE };
		return 0;
	}
	s->p++;
	skip(s, " \t");
	if (value(s, text, sizeof(text), e) < 0)
		return -1;
	return set_param(&s->now, name, text, e);
}

int challenge_parse(const char *text, struct challenge *out, struct err *e)
{
	struct scan s = { .p = text, .begin = text };
	struct challenge best = { 0 };

	if (strlen(text) > CHALLENGE_BYTES)
		return err_set(e, EFBIG, "WWW-Authenticate: more than %d bytes",
			       CHALLENGE_BYTES);
	for (skip(&s, " \t,"); *s.p; skip(&s, " \t,")) {
		if (item(&s, &best, e) < 0)
			return err_wrap(e, "WWW-Authenticate");
	}
	keep(&best, &s.now);
	*out = best;
	return 0;
}
