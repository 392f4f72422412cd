/* Which image is meant. */
#include "images/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "images/reference.h"

enum { MIN_PREFIX = 6 };

bool index_named(const struct index_entry *en, const char *name)
{
	return en->name && strcmp(en->name, name) == 0;
}

static const struct index_entry *by_digest(const struct index *ix, const struct digest *d)
{
	for (size_t i = 0; i < ix->n; i++) {
		if (digest_equal(&ix->v[i].digest, d))
			return &ix->v[i];
	}
	return NULL;
}

static const struct index_entry *by_name(const struct index *ix, const char *name)
{
	for (size_t i = 0; i < ix->n; i++) {
		if (index_named(&ix->v[i], name))
			return &ix->v[i];
	}
	return NULL;
}

/* HOST/REPOSITORY@DIGEST of what came by a tag. */
static const struct index_entry *by_repo(const struct index *ix, const struct reference *want)
{
	for (size_t i = 0; i < ix->n; i++) {
		const struct index_entry *en = &ix->v[i];
		struct err none = ERR_NONE;
		struct reference r;

		if (en->name && digest_equal(&en->digest, &want->digest) &&
		    reference_parse(en->name, NULL, &r, &none) == 0 &&
		    strcmp(r.host, want->host) == 0 && strcmp(r.repo, want->repo) == 0)
			return en;
	}
	return NULL;
}

static bool has_prefix(const struct index_entry *en, const char *image)
{
	const char *colon = strchr(image, ':');

	if (colon)
		return strlen(colon + 1) >= MIN_PREFIX &&
		       str_has_prefix(digest_text(&en->digest).s, image);
	return strlen(image) >= MIN_PREFIX && str_has_prefix(en->digest.hex, image);
}

/* *several: more than one has such a digest. */
static const struct index_entry *by_prefix(const struct index *ix, const char *image,
					   bool *several)
{
	const struct index_entry *found = NULL;

	for (size_t i = 0; i < ix->n; i++) {
		if (!has_prefix(&ix->v[i], image))
			continue;
		if (found && !digest_equal(&found->digest, &ix->v[i].digest))
			*several = true;
		found = &ix->v[i];
	}
	return found;
}

/* Short names lead nowhere by themselves: who sees which image has one may write it in full. */
static void suggest(const struct index *ix, const char *image, struct err *e)
{
	auto_free char *end = xasprintf("/%s", image);
	auto_free char *latest = xasprintf("/%s:latest", image);

	for (size_t i = 0; i < ix->n; i++) {
		const char *name = ix->v[i].name;

		if (name && (str_has_suffix(name, end) || str_has_suffix(name, latest))) {
			(void) err_hint(e, "there is %.200s", name);
			return;
		}
	}
}

static const struct index_entry *fail(const struct index *ix, const char *image, bool several,
				      struct err *e)
{
	if (several) {
		(void) err_set(e, EINVAL,
			       "image %.100s: several images have a digest that begins like "
			       "this",
			       image);
		return NULL;
	}
	(void) err_set(e, ENOENT,
		       "image %.100s: not in the store (carrel-image ls shows what is)", image);
	suggest(ix, image, e);
	return NULL;
}

const struct index_entry *index_search(const struct index *ix, const char *image, bool *name,
				       struct err *e)
{
	const struct index_entry *en;
	struct err none = ERR_NONE;
	struct reference r;
	struct digest d;
	bool several = false;

	*name = false;
	if (digest_parse(image, "", &d, &none) == 0) {
		en = by_digest(ix, &d);
		return en ? en : fail(ix, image, false, e);
	}
	*name = true;
	en = by_name(ix, image);
	if (!en && reference_parse(image, NULL, &r, &none) == 0) {
		auto_free char *text = reference_text(&r);

		en = by_name(ix, text);
		*name = en != NULL;
		if (!en && r.digest.hex[0])
			en = by_repo(ix, &r);
	}
	if (en)
		return en;
	*name = false;
	en = by_prefix(ix, image, &several);
	return en && !several ? en : fail(ix, image, several, e);
}

const struct index_entry *index_find(const struct index *ix, const char *image, struct err *e)
{
	bool ignored;

	return index_search(ix, image, &ignored, e);
}
