#include "images/registry_message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "images/digest.h"
#include "images/reference.h"

void registry_text(char *out, size_t room, const char *s, size_t n)
{
	size_t used = 0;

	while (n > 0 && *s && used + 4 < room) {
		size_t k = str_utf8_len(s, n);

		if (k == 0 || (unsigned char) *s < ' ' || *s == 0x7f) {
			out[used++] = '?';
			k = k == 0 ? 1 : k;
		} else {
			memcpy(out + used, s, k);
			used += k;
		}
		s += k;
		n -= k;
	}
	out[used] = '\0';
}

static bool is_text(const char *s, size_t room)
{
	const char *end = memchr(s, '\0', room);

	for (; end && s < end; s++) {
		if ((unsigned char) *s < ' ' || *s == 0x7f)
			return false;
	}
	return end != NULL;
}

/* The offsets and lengths of a message's texts. */
struct text_field {
	size_t at, room;
};
#define TEXT(type, m)                                                                          \
	{                                                                                      \
		offsetof(type, m), sizeof(((type *) 0)->m)                                     \
	}

static int check_texts(const void *message, const struct text_field *f, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_text((const char *) message + f[i].at, f[i].room))
			return err_set(e, EPROTO, "text %zu of the message is none", i);
	}
	return 0;
}

static int copy(const void *p, size_t n, void *out, size_t size, const char *what,
		struct err *e)
{
	if (n != size)
		return err_set(e, EPROTO, "%s of %zu bytes; %zu are expected", what, n, size);
	memcpy(out, p, n);
	return 0;
}

int registry_setup_parse(const void *p, size_t n, struct registry_setup *out, struct err *e)
{
	static const struct text_field texts[] = { TEXT(struct registry_setup, host),
						   TEXT(struct registry_setup, user),
						   TEXT(struct registry_setup, secret) };

	if (copy(p, n, out, sizeof(*out), "a setup", e) < 0 ||
	    check_texts(out, texts, ARRAY_SIZE(texts), e) < 0)
		return -1;
	if (out->scheme > REGISTRY_HTTP)
		return err_set(e, EPROTO, "%u is no scheme", out->scheme);
	return reference_check_host(out->host, e);
}

/* A tag or a digest: nothing that could be more than one part of a path. */
static bool is_ref(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && s[0] != '.' && s[0] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789._-:") == n;
}

int registry_request_parse(const void *p, size_t n, struct registry_request *out, struct err *e)
{
	static const struct text_field texts[] = { TEXT(struct registry_request, repo),
						   TEXT(struct registry_request, ref),
						   TEXT(struct registry_request, type),
						   TEXT(struct registry_request, from) };

	if (copy(p, n, out, sizeof(*out), "a request", e) < 0 ||
	    check_texts(out, texts, ARRAY_SIZE(texts), e) < 0)
		return -1;
	if (out->op == REGISTRY_CANCEL)
		return 0;
	if (out->op < REGISTRY_MANIFEST || out->op > REGISTRY_CANCEL)
		return err_set(e, EPROTO, "%u is no request", out->op);
	if (!is_ref(out->ref))
		return err_set(e, EPROTO, "'%.80s' is no tag and no digest", out->ref);
	if (out->from[0] && reference_check_repo(out->from, e) < 0)
		return -1;
	return reference_check_repo(out->repo, e);
}

int registry_answer_parse(const void *p, size_t n, struct registry_answer *out, struct err *e)
{
	static const struct text_field texts[] = { TEXT(struct registry_answer, type),
						   TEXT(struct registry_answer, digest),
						   TEXT(struct registry_answer, text) };

	if (copy(p, n, out, sizeof(*out), "an answer", e) < 0 ||
	    check_texts(out, texts, ARRAY_SIZE(texts), e) < 0)
		return -1;
	if (out->kind < REGISTRY_READY || out->kind > REGISTRY_NOTE)
		return err_set(e, EPROTO, "%u is no answer", out->kind);
	if (out->kind == REGISTRY_DONE &&
	    (out->outcome < REGISTRY_FOUND || out->outcome > REGISTRY_MOUNTED))
		return err_set(e, EPROTO, "%u is no outcome", out->outcome);
	return 0;
}
