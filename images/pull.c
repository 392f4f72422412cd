#include "images/pull.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "images/import_internal.h"
#include "images/manifest.h"
#include "images/media.h"
#include "images/progress.h"
#include "images/reference.h"

/* As much as the parser takes. */
enum { MANIFEST_MAX = 1 << 20 };

/* What the registry calls it; if that says nothing (or is a file server's guess), what it calls itself. */
static void media_type(const char *content_type, struct json_doc *doc, char out[128])
{
	const char *own = json_str_or(json_root(doc), "mediaType", NULL);
	size_t n = strcspn(content_type, "; \t");

	snprintf(out, 128, "%.*s", (int) n, content_type);
	if (own && (n == 0 || strcmp(out, "application/json") == 0 ||
		    strcmp(out, "application/octet-stream") == 0))
		snprintf(out, 128, "%s", own);
}

/* The digest that was asked for, or the one that the registry claims, is the document's. */
static int check_digest(const struct reference *ref, const char *claimed,
			const struct buf *text, struct digest *out, struct err *e)
{
	struct digest want = ref->digest;

	if (!want.hex[0] && *claimed &&
	    digest_parse(claimed, "Docker-Content-Digest", &want, e) < 0)
		return -1;
	if (digest_of(want.hex[0] ? digest_kind(&want) : DIGEST_SHA256, buf_bytes(text),
		      buf_len(text), out, e) < 0)
		return -1;
	if (want.hex[0] && !digest_equal(&want, out))
		return err_set(e, EINVAL, "the manifest's digest is %s, %s was promised",
			       digest_text(out).s, digest_text(&want).s);
	return 0;
}

static int read_top(struct import *im, const struct reference *ref, struct buf *text,
		    struct descriptor *d, char type[128], struct err *e)
{
	struct registry_request q = { .op = REGISTRY_MANIFEST, .size = MANIFEST_MAX };
	auto_json struct json_doc *doc = NULL;
	struct registry_answer a;
	struct digest_text digest;

	snprintf(q.repo, sizeof(q.repo), "%s", im->repo);
	snprintf(q.ref, sizeof(q.ref), "%s", reference_wanted(ref, &digest));
	if (registry_read(im->registry, &q, text, &a, e) < 0 ||
	    check_digest(ref, a.digest, text, &d->digest, e) < 0)
		return -1;
	if (json_parse((const char *) buf_bytes(text), buf_len(text), NULL, &doc, e) < 0)
		return err_wrap(e, "manifest");
	media_type(a.type, doc, type);
	d->media_type = type;
	d->size = buf_len(text);
	return 0;
}

static int bring(struct import *im, const struct reference *ref, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(MANIFEST_MAX);
	struct descriptor d = { 0 };
	struct blob staged;
	char type[128];

	if (read_top(im, ref, &text, &d, type, e) < 0)
		return -1;
	progress_resolved(im->registry->options->progress, im->name, &d.digest);
	switch (media_kind(type)) {
	case MEDIA_INDEX:
		return import_index(im, &text, type, e);
	case MEDIA_MANIFEST:
		if (blob_stage_mem(im->work, buf_bytes(&text), buf_len(&text), &staged, e) < 0)
			return -1;
		return import_manifest(im, &d, e);
	default:
		return err_set(e, ENOTSUP,
			       "the media type '%.100s' of its manifest is not "
			       "supported",
			       type);
	}
}

static int pull_from(const struct store *s, const struct endpoint *at,
		     const struct reference *ref, const struct import_options *options,
		     const struct registry_options *ro, struct digest *out, struct err *e)
{
	auto_store_work struct store_work work = STORE_WORK_NONE;
	auto_registry struct registry r = REGISTRY_NONE;
	struct import im = {
		.store = s, .work = &work, .options = options, .registry = &r, .repo = at->repo
	};
	int code;

	if (store_work_begin(s, &work, e) < 0 || registry_open(at, ro, &r, e) < 0)
		return -1;
	im.name = reference_text(ref);
	code = bring(&im, ref, e);
	/* It has nothing more to do, and what follows may take a while. */
	registry_close(&r);
	if (code == 0)
		code = import_finish(&im, out, e);
	import_fini(&im);
	return code;
}

int pull_image(const struct store *s, const char *reference,
	       const struct import_options *import, const struct registry_options *registry,
	       struct digest *out, struct err *e)
{
	struct endpoint at[REGISTRIES_MIRRORS + 1];
	struct reference ref;
	size_t n;

	if (reference_parse(reference, registry->registries->default_host, &ref, e) < 0)
		return -1;
	n = registries_endpoints(registry->registries, &ref, at);
	for (size_t i = 0; i < n; i++) {
		struct err why = ERR_NONE;

		if (pull_from(s, &at[i], &ref, import, registry, out, &why) == 0)
			return 0;
		if (i + 1 == n) {
			*e = why;
			break;
		}
		progress_note(registry->progress, at[i].host, why.msg);
	}
	return err_wrap(e, "%s", reference);
}
