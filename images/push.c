#include "images/push.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/blob.h"
#include "images/image.h"
#include "images/index.h"
#include "images/progress.h"

struct parcel {
	struct blob blob;
	enum { PARCEL_AWAITED, PARCEL_ASKED, PARCEL_SENDING, PARCEL_THERE } state;
	uint32_t id;
};

struct push {
	const struct store *store;
	struct registry *registry;
	const struct endpoint *at;
	const struct index *index;
	const struct reference *ref;
	uint64_t chunk;
	struct parcel *v;
	size_t n;
	unsigned active;
};

static void tell(const struct push *p, const struct parcel *c, const char *state)
{
	progress_blob(p->registry->options->progress, &c->blob.digest, state,
		      c->state == PARCEL_THERE ? c->blob.size : 0, c->blob.size);
}

/* ---- which blobs ---- */

static void add(struct push *p, const struct descriptor *d)
{
	for (size_t i = 0; i < p->n; i++) {
		if (digest_equal(&p->v[i].blob.digest, &d->digest))
			return;
	}
	p->v[p->n++] = (struct parcel){ .blob = { .digest = d->digest, .size = d->size } };
}

static bool holds(const struct image *im, const struct digest *d)
{
	for (size_t i = 0; i < im->manifest.n_layers; i++) {
		if (digest_equal(&im->manifest.layers[i].digest, d))
			return true;
	}
	return digest_equal(&im->manifest.config.digest, d);
}

/* A repository of the same registry that ought to have the blob, for an image of that name has it here. */
static bool find_origin(const struct push *p, const struct digest *d,
			char out[REFERENCE_REPO + 1])
{
	for (size_t i = 0; i < p->index->n; i++) {
		const struct index_entry *en = &p->index->v[i];
		auto_image struct image im = { 0 };
		struct err ignored = ERR_NONE;
		struct reference r;

		if (!en->name || reference_parse(en->name, NULL, &r, &ignored) < 0 ||
		    strcmp(r.host, p->ref->host) != 0 || strcmp(r.repo, p->at->repo) == 0 ||
		    image_load(p->store, en, &im, &ignored) < 0 || !holds(&im, d))
			continue;
		memcpy(out, r.repo, sizeof(r.repo));
		return true;
	}
	return false;
}

/* ---- asking and sending ---- */

static int send_request(struct push *p, struct parcel *c, struct registry_request *q, int fd,
			struct err *e)
{
	snprintf(q->repo, sizeof(q->repo), "%s", p->at->repo);
	snprintf(q->ref, sizeof(q->ref), "%s", digest_text(&c->blob.digest).s);
	q->size = c->blob.size;
	if (registry_send(p->registry, q, fd, e) < 0)
		return -1;
	c->id = q->id;
	return 0;
}

static int ask(struct push *p, struct parcel *c, struct err *e)
{
	struct registry_request q = { .op = REGISTRY_HAS_BLOB };

	c->state = PARCEL_ASKED;
	p->active++;
	tell(p, c, "waiting");
	return send_request(p, c, &q, -1, e);
}

static int send_blob(struct push *p, struct parcel *c, struct err *e)
{
	struct registry_request q = { .op = REGISTRY_PUT_BLOB, .chunk = p->chunk };
	auto_close int fd = blob_open(p->store, NULL, &c->blob.digest, e);

	if (fd < 0)
		return -1;
	(void) find_origin(p, &c->blob.digest, q.from);
	c->state = PARCEL_SENDING;
	tell(p, c, "moving");
	return send_request(p, c, &q, fd, e);
}

static void arrived(struct push *p, struct parcel *c, const char *how)
{
	c->state = PARCEL_THERE;
	p->active--;
	tell(p, c, how);
}

static struct parcel *parcel_of(struct push *p, uint32_t id)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].id == id &&
		    (p->v[i].state == PARCEL_ASKED || p->v[i].state == PARCEL_SENDING))
			return &p->v[i];
	}
	return NULL;
}

static int take_answer(struct push *p, struct err *e)
{
	struct registry_answer a;
	struct parcel *c;

	if (registry_recv(p->registry, &a, e) < 0)
		return -1;
	c = parcel_of(p, a.id);
	if (a.kind == REGISTRY_FAILED) {
		(void) registry_failure(p->registry, &a, e);
		return c ? err_wrap(e, "blob %s", digest_text(&c->blob.digest).s) : -1;
	}
	if (!c)
		return 0;
	if (c->state == PARCEL_ASKED && a.outcome == REGISTRY_ABSENT)
		return send_blob(p, c, e);
	arrived(p, c,
		a.outcome == REGISTRY_FOUND	? "present"
		: a.outcome == REGISTRY_MOUNTED ? "mounted"
						: "done");
	return 0;
}

static int send_blobs(struct push *p, struct err *e)
{
	for (size_t next = 0; next < p->n || p->active > 0;) {
		if (next < p->n && p->active < p->registry->options->parallel) {
			if (ask(p, &p->v[next++], e) < 0)
				return -1;
		} else if (take_answer(p, e) < 0) {
			return -1;
		}
	}
	return 0;
}

static int send_manifest(struct push *p, const struct index_entry *en, struct err *e)
{
	struct registry_request q = { .op = REGISTRY_PUT_MANIFEST, .size = en->size };
	auto_close int fd = blob_open(p->store, NULL, &en->digest, e);
	struct registry_answer a;
	struct digest_text digest;

	if (fd < 0)
		return -1;
	snprintf(q.repo, sizeof(q.repo), "%s", p->at->repo);
	snprintf(q.ref, sizeof(q.ref), "%s", reference_wanted(p->ref, &digest));
	snprintf(q.type, sizeof(q.type), "%s", en->media_type);
	if (registry_ask(p->registry, &q, fd, &a, e) < 0)
		return err_wrap(e, "manifest");
	if (a.digest[0] && strcmp(a.digest, digest_text(&en->digest).s) != 0)
		return err_set(e, EPROTO, "the registry made %s of the manifest, which is %s",
			       a.digest, digest_text(&en->digest).s);
	progress_resolved(p->registry->options->progress, p->ref->repo, &en->digest);
	return 0;
}

static int push(const struct store *s, const struct index *ix, const struct index_entry *en,
		const struct reference *ref, uint64_t chunk, const struct registry_options *o,
		struct err *e)
{
	struct endpoint at[REGISTRIES_MIRRORS + 1];
	const size_t n = registries_endpoints(o->registries, ref, at);
	auto_image struct image im = { 0 };
	auto_registry struct registry r = REGISTRY_NONE;
	auto_free struct parcel *v = NULL;
	struct push p = { .store = s,
			  .registry = &r,
			  .at = &at[n - 1], /* never a mirror */
			  .index = ix,
			  .ref = ref,
			  .chunk = chunk };

	if (image_load(s, en, &im, e) < 0 || registry_open(p.at, o, &r, e) < 0)
		return -1;
	p.v = v = xalloc((im.manifest.n_layers + 1) * sizeof(*v));
	for (size_t i = 0; i < im.manifest.n_layers; i++)
		add(&p, &im.manifest.layers[i]);
	add(&p, &im.manifest.config);
	if (send_blobs(&p, e) < 0)
		return -1;
	return send_manifest(&p, en, e);
}

int push_image(const struct store *s, const char *image, const char *reference, uint64_t chunk,
	       const struct registry_options *o, struct digest *out, struct err *e)
{
	auto_index struct index ix = { 0 };
	const struct index_entry *en;
	struct reference ref;

	if (index_load(s, &ix, e) < 0)
		return -1;
	en = index_find(&ix, image, e);
	if (!en)
		return -1;
	reference = reference ? reference : en->name;
	if (!reference)
		return err_set(e, EINVAL, "%s: it has no name; say where to push it", image);
	if (reference_parse(reference, o->registries->default_host, &ref, e) < 0)
		return -1;
	if (ref.digest.hex[0] && !digest_equal(&ref.digest, &en->digest))
		return err_set(e, EINVAL, "%s: the image's digest is %s", reference,
			       digest_text(&en->digest).s);
	if (push(s, &ix, en, &ref, chunk, o, e) < 0)
		return err_wrap(e, "%s", reference);
	*out = en->digest;
	return 0;
}
