#include "sessiond/outbound/head.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

size_t head_length(const void *p, size_t n)
{
	const char *end = n ? memmem(p, n, "\r\n\r\n", 4) : NULL;

	return end ? (size_t) (end - (const char *) p) + 4 : 0;
}

bool head_is(struct head_text t, const char *s)
{
	return strlen(s) == t.n && memcmp(t.p, s, t.n) == 0;
}

bool head_is_name(struct head_text t, const char *s)
{
	return strlen(s) == t.n && strncasecmp(t.p, s, t.n) == 0;
}

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Printable, a tab, or above ASCII. */
static bool is_text(char c)
{
	return c == '\t' || (uint8_t) c >= 0x80 || (c >= 0x20 && c < 0x7f);
}

static struct head_text trimmed(const char *p, size_t n)
{
	while (n > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return (struct head_text){ p, n };
}

static int parse_field(const char *line, size_t n, struct head *h, struct err *e)
{
	size_t n_name = 0;

	if (h->n == HEAD_FIELDS)
		return err_set(e, E2BIG, "the head has more than %d fields", HEAD_FIELDS);
	while (n_name < n && is_token(line[n_name]))
		n_name++;
	if (n_name == 0 || n_name == n || line[n_name] != ':')
		return err_set(e, EPROTO, "line %zu of the head is no field", h->n + 2);
	h->fields[h->n].name = (struct head_text){ line, n_name };
	h->fields[h->n].value = trimmed(line + n_name + 1, n - n_name - 1);
	h->n++;
	return 0;
}

int head_parse(const char *p, size_t n, struct head *out, struct err *e)
{
	const char *end = p + n - 2; /* the empty line */

	out->n = 0;
	out->start = (struct head_text){ NULL, 0 };
	if (n < 4 || memcmp(end - 2, "\r\n\r\n", 4) != 0)
		return err_set(e, EPROTO, "the head has no end");
	while (p < end) {
		size_t line = 0;

		while (is_text(p[line]))
			line++;
		/* A lone CR, a lone LF, NUL or another control character. */
		if (p[line] != '\r' || p[line + 1] != '\n')
			return err_set(e, EPROTO, "the head has a control character");
		if (!out->start.p)
			out->start = (struct head_text){ p, line };
		else if (parse_field(p, line, out, e) < 0)
			return -1;
		p += line + 2;
	}
	return 0;
}

unsigned head_status(struct head_text start)
{
	static const char prefix[] = "HTTP/1.";
	size_t n = sizeof(prefix) - 1;
	unsigned status = 0;

	if (start.n < n + 5 || memcmp(start.p, prefix, n) != 0 || (start.p[n] | 1) != '1' ||
	    start.p[n + 1] != ' ')
		return 0;
	for (size_t i = n + 2; i < n + 5; i++) {
		if (start.p[i] < '0' || start.p[i] > '9')
			return 0;
		status = status * 10 + (unsigned) (start.p[i] - '0');
	}
	return status;
}

size_t head_get(const struct head *h, const char *name, struct head_text *out)
{
	size_t found = 0;

	*out = (struct head_text){ NULL, 0 };
	for (size_t i = 0; i < h->n; i++) {
		if (head_is_name(h->fields[i].name, name) && found++ == 0)
			*out = h->fields[i].value;
	}
	return found;
}

bool head_next_word(struct head_text *list, struct head_text *word)
{
	while (list->n > 0) {
		const char *comma = memchr(list->p, ',', list->n);
		size_t n = comma ? (size_t) (comma - list->p) : list->n;

		*word = trimmed(list->p, n);
		n += comma ? 1 : 0;
		list->p += n;
		list->n -= n;
		if (word->n > 0)
			return true;
	}
	return false;
}

bool head_has_word(struct head_text list, const char *word)
{
	struct head_text w;

	while (head_next_word(&list, &w)) {
		if (head_is_name(w, word))
			return true;
	}
	return false;
}
