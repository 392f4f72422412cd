#include "images/index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "images/manifest.h"
#include "images/media.h"
#include "images/store.h"

enum { INDEX_LIMIT = 1 << 20, NAME_LIMIT = 255, ENTRIES_LIMIT = 2048 };

static void entry_fini(struct index_entry *en)
{
	free(en->name);
	free(en->media_type);
	*en = (struct index_entry){ 0 };
}

void index_fini(struct index *ix)
{
	for (size_t i = 0; i < ix->n; i++)
		entry_fini(&ix->v[i]);
	free(ix->v);
	*ix = (struct index){ 0 };
}

int index_check_name(const char *name, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-/:@+[]";
	size_t n = strspn(name, allowed);

	struct digest digest;
	struct err none = ERR_NONE;

	if (n == 0 || name[n] || n > NAME_LIMIT || *name == '-')
		return err_set(e, EINVAL,
			       "image name '%.100s': 1 to %d letters, digits and ._-/:@+[] are "
			       "accepted",
			       name, NAME_LIMIT);
	/* Else an archive could bring an image that answers to another one's digest. */
	if (digest_is_hex(name) || digest_parse(name, "", &digest, &none) == 0)
		return err_set(e, EINVAL, "image name '%.150s': a digest is no name", name);
	return 0;
}

static void append(struct index *ix, const char *name, const char *media_type,
		   const struct digest *d, uint64_t size)
{
	ix->v = realloc(ix->v, (ix->n + 1) * sizeof(*ix->v));
	if (!ix->v)
		abort(); /* bounded by the document's limits */
	ix->v[ix->n++] = (struct index_entry){ .name = name ? xstrdup(name) : NULL,
					       .media_type = xstrdup(media_type),
					       .digest = *d,
					       .size = size };
}

static const char damaged[] =
	"nothing is removed while it is so; put a copy of it back, or import the images again "
	"into another store";

int index_load(const struct store *s, struct index *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(INDEX_LIMIT);
	auto_manifest_index struct manifest_index m = { 0 };
	struct index ix = { 0 };

	if (fd_read_file(s->dir_fd, "index.json", INDEX_LIMIT, &text, e) < 0) {
		(void) err_wrap(e, "image store %s", s->path);
		return err_hint(e, "%s", damaged);
	}
	if (manifest_index_parse((const char *) buf_bytes(&text), buf_len(&text), NULL, &m, e) <
	    0) {
		(void) err_wrap(e, "image store %s: index.json", s->path);
		return err_hint(e, "%s", damaged);
	}
	if (m.n_others > 0)
		return err_set(e, EINVAL,
			       "image store %s: index.json: %zu of its entries are no images",
			       s->path, m.n_others);
	for (size_t i = 0; i < m.n; i++)
		append(&ix, m.manifests[i].name, m.manifests[i].media_type,
		       &m.manifests[i].digest, m.manifests[i].size);
	*out = ix;
	return 0;
}

void index_write_entry(struct json_writer *w, const struct index_entry *en, const char *arch)
{
	jw_object(w, NULL);
	jw_str(w, "mediaType", en->media_type);
	jw_str(w, "digest", digest_text(&en->digest).s);
	jw_uint(w, "size", en->size);
	if (arch) {
		jw_object(w, "platform");
		jw_str(w, "architecture", arch);
		jw_str(w, "os", "linux");
		jw_close(w);
	}
	if (en->name) {
		jw_object(w, "annotations");
		jw_str(w, "org.opencontainers.image.ref.name", en->name);
		jw_close(w);
	}
	jw_close(w);
}

static int write_index(const struct store *s, const struct index *ix, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(INDEX_LIMIT);
	auto_json_writer struct json_writer *w = json_writer_new(&text, true);

	jw_object(w, NULL);
	jw_int(w, "schemaVersion", 2);
	jw_str(w, "mediaType", MEDIA_OCI_INDEX);
	jw_array(w, "manifests");
	for (size_t i = 0; i < ix->n; i++) {
		const struct index_entry *en = &ix->v[i];

		if (en->dropped)
			continue;
		index_write_entry(w, en, NULL);
	}
	jw_close(w);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return err_wrap(e, "image store %s: index.json", s->path);
	return fd_write_atomic(s->dir_fd, "index.json", buf_bytes(&text), buf_len(&text), 0644,
			       true, e);
}

/* fd_write_atomic's, in the store's own directory. */
static void sweep_temporary(const struct store *s)
{
	auto_close int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;

	if (!d)
		return;
	(void) take_fd(&fd);
	while ((ent = readdir(d))) {
		if (str_has_prefix(ent->d_name, ".tmp."))
			(void) unlinkat(s->dir_fd, ent->d_name, 0);
	}
	closedir(d);
}

int index_lock(const struct store *s, struct err *e)
{
	auto_close int fd = openat(s->dir_fd, "index.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "image store %s: index.lock", s->path);
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_sys(e, "image store %s: index.lock", s->path);
	}
	sweep_temporary(s);
	return take_fd(&fd);
}

int index_put(const struct store *s, const struct index_entry *entry, struct err *e)
{
	auto_close int lock = index_lock(s, e);
	auto_index struct index ix = { 0 };

	if (lock < 0 || index_load(s, &ix, e) < 0)
		return -1;
	for (size_t i = ix.n; i-- > 0;) {
		bool same = digest_equal(&ix.v[i].digest, &entry->digest);

		if (!entry->name && same)
			return 0;
		if (entry->name &&
		    (index_named(&ix.v[i], entry->name) || (same && !ix.v[i].name)))
			ix.v[i].dropped = true;
	}
	if (ix.n >= ENTRIES_LIMIT)
		return err_set(e, ENOSPC, "image store %s: %d images are the most it may hold",
			       s->path, ENTRIES_LIMIT);
	append(&ix, entry->name, entry->media_type, &entry->digest, entry->size);
	return write_index(s, &ix, e);
}

/* A name goes alone; a digest takes all its names along. */
static int drop_image(struct index *ix, const char *image, struct err *e)
{
	bool by_name;
	const struct index_entry *en = index_search(ix, image, &by_name, e);

	if (!en)
		return -1;
	for (size_t i = 0; i < ix->n; i++) {
		if (by_name ? &ix->v[i] == en : digest_equal(&ix->v[i].digest, &en->digest))
			ix->v[i].dropped = true;
	}
	return 0;
}

int index_remove(const struct store *s, const char *image, struct err *e)
{
	auto_close int lock = index_lock(s, e);
	struct index ix = { 0 };
	int r = lock < 0 ? -1 : index_load(s, &ix, e);

	if (r == 0)
		r = drop_image(&ix, image, e);
	if (r == 0)
		r = write_index(s, &ix, e);
	index_fini(&ix);
	return r;
}
