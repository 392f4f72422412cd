/*
 * The head of an HTTP/1.1 message, taken apart strictly. Pure.
 *
 * Two readers of one head that disagree are how requests are smuggled, so whatever could be read in two ways is refused:
 * line ends other than CRLF, folded lines, blanks before a colon, control characters, names that are no tokens.
 */
#ifndef CARREL_SESSIOND_OUTBOUND_HEAD_H
#define CARREL_SESSIOND_OUTBOUND_HEAD_H

#include <stdbool.h>
#include <stddef.h>

struct err;

enum { HEAD_MAX = 16384, HEAD_FIELDS = 100 };

struct head_text {
	const char *p; /* not NUL-terminated */
	size_t n;
};

struct head {
	struct head_text start; /* the first line */
	struct {
		struct head_text name, value;
	} fields[HEAD_FIELDS];
	size_t n;
};

/* The length of the head with its empty line, 0 while that has not come. */
size_t head_length(const void *p, size_t n);

/* p[0..n) as head_length measured it. The texts point into it. */
int head_parse(const char *p, size_t n, struct head *out, struct err *e);

/* Of an answer's first line, HTTP/1.1 or 1.0; 0: it is none. */
unsigned head_status(struct head_text start);

/* How often the field is there; *out: the first one's value. */
size_t head_get(const struct head *h, const char *name, struct head_text *out);

bool head_is(struct head_text t, const char *s);      /* exactly */
bool head_is_name(struct head_text t, const char *s); /* whatever the case */
/* Whether a comma-separated list has this word, whatever the case. */
bool head_has_word(struct head_text list, const char *word);
/* The next word of a comma-separated list; false at its end. */
bool head_next_word(struct head_text *list, struct head_text *word);

#endif
