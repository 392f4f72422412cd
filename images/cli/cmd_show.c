/* ls, inspect and history: what only reads the store. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "images/cli/cli.h"
#include "images/image.h"
#include "images/index.h"
#include "images/layer.h"
#include "images/parents.h"
#include "images/store.h"

enum { OUTPUT_MAX = 16 << 20 };

static void show_summary(struct json_writer *w, const struct image *im)
{
	jw_str(w, "name", im->name);
	jw_str(w, "digest", digest_text(&im->digest).s);
	jw_uint(w, "size", im->size);
	jw_str(w, "created", im->config.created);
	jw_str(w, "architecture", im->config.arch);
}

/* What stands in an image is not for a terminal as it is. */
static int put_plain(struct buf *out, const char *s, size_t max, struct err *e)
{
	for (; *s && max; s++, max--) {
		bool plain = (unsigned char) *s >= ' ' && *s != 0x7f;

		if (buf_append(out, plain ? s : " ", 1, e) < 0)
			return -1;
	}
	return 0;
}

/* One that cannot be read is a row as well: what is left of it can be removed by name or digest. */
static int load_row(const struct store *s, const struct index_entry *en, struct image *im,
		    bool *damaged)
{
	struct err why = ERR_NONE;

	if (image_load(s, en, im, &why) == 0)
		return 0;
	log_warn("carrel-image ls: %s", why.msg);
	*im = (struct image){ .digest = en->digest,
			      .name = en->name ? xstrdup(en->name) : NULL };
	*damaged = true;
	return -1;
}

static int ls_json(const struct store *s, const struct index *ix, bool *damaged,
		   struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, true);

	jw_array(w, NULL);
	for (size_t i = 0; i < ix->n; i++) {
		auto_image struct image im = { 0 };
		int r = load_row(s, &ix->v[i], &im, damaged);

		jw_object(w, NULL);
		show_summary(w, &im);
		jw_uint(w, "layers", im.manifest.n_layers);
		if (r < 0)
			jw_bool(w, "damaged", true);
		jw_close(w);
	}
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

static int ls_table(const struct store *s, const struct index *ix, bool *damaged,
		    struct buf *out, struct err *e)
{
	int width = (int) strlen("NAME");

	for (size_t i = 0; i < ix->n; i++) {
		if (ix->v[i].name)
			width = MAX(width, (int) strlen(ix->v[i].name));
	}
	if (buf_printf(out, e, "%-*s  %-12s  %10s  %s\n", width, "NAME", "DIGEST", "SIZE",
		       "CREATED") < 0)
		return -1;
	for (size_t i = 0; i < ix->n; i++) {
		auto_image struct image im = { 0 };
		const char *created = "-";

		if (load_row(s, &ix->v[i], &im, damaged) < 0)
			created = "damaged";
		else if (im.config.created)
			created = im.config.created;
		if (buf_printf(out, e, "%-*s  %.12s  %10s  ", width, im.name ? im.name : "-",
			       im.digest.hex, cli_size(im.size).s) < 0 ||
		    put_plain(out, created, 19, e) < 0 || buf_puts(out, "\n", e) < 0)
			return -1;
	}
	return 0;
}

static int ls_quiet(const struct index *ix, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < ix->n; i++) {
		size_t k = 0;

		while (!digest_equal(&ix->v[k].digest, &ix->v[i].digest))
			k++;
		if (k == i && buf_printf(out, e, "%s\n", digest_text(&ix->v[i].digest).s) < 0)
			return -1;
	}
	return 0;
}

int cli_ls(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const struct opts_ls *o = opts;
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	auto_store struct store s = STORE_NONE;
	auto_index struct index ix = { 0 };
	struct err e = ERR_NONE;
	bool json, damaged = false;
	int r;

	if (cli_format(o->format, &json, &e) < 0 ||
	    store_open(c->store, STORE_READ, &s, &e) < 0 || index_load(&s, &ix, &e) < 0)
		return cli_fail("ls", &e);
	if (o->quiet)
		r = ls_quiet(&ix, &out, &e);
	else
		r = (json ? ls_json : ls_table)(&s, &ix, &damaged, &out, &e);
	if (r < 0)
		return cli_fail("ls", &e);
	return cli_print("ls", &out) != 0 || damaged;
}

/* layer.json says how much came out of the blob. */
static void show_place(struct json_writer *w, const struct store *s, const struct image *im,
		       size_t i)
{
	const struct digest *diff_id = &im->config.diff_ids[i];
	auto_free char *blob = xasprintf("%s/blobs/%s", s->path,
					 digest_path(&im->manifest.layers[i].digest).s);
	auto_free char *json = xasprintf("%s/layer.json", diff_id->hex);
	auto_free char *root = NULL;
	auto_json struct json_doc *doc = NULL;
	enum layer_format format;
	struct err why = ERR_NONE;

	jw_str(w, "blob", blob);
	if (json_parse_file(s->layers_fd, json, NULL, &doc, &why) < 0)
		return;
	auto_close int fd = layer_open(s->layers_fd, diff_id->hex, &format, &why);
	if (fd < 0)
		return;
	root = xasprintf("%s/layers/%s/%s", s->path, diff_id->hex, layer_place(format));
	jw_str(w, format == LAYER_EROFS ? "erofs" : "root", root);
	jw_int(w, "unpacked", json_int_or(json_root(doc), "bytes", 0));
	jw_int(w, "entries", json_int_or(json_root(doc), "entries", 0));
}

/* One more for whoever mounts the layers, above them. */
static void show_parents(struct json_writer *w, const struct store *s, const struct image *im)
{
	struct err none = ERR_NONE;
	struct digest name;
	auto_close int fd =
		parents_open(s, im->config.diff_ids, im->config.n_diff_ids, &name, &none);

	if (fd < 0)
		return;
	auto_free char *root =
		xasprintf("%s/layers/%s/%s", s->path, name.hex, layer_place(LAYER_DIR));
	jw_str(w, "parents", root);
}

static int inspect(const struct store *s, const struct image *im, struct buf *out,
		   struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, true);

	jw_object(w, NULL);
	show_summary(w, im);
	jw_object(w, "config");
	jw_str(w, "user", im->config.user);
	jw_str(w, "workdir", im->config.workdir);
	jw_strings(w, "env", (const char *const *) im->config.env);
	jw_strings(w, "entrypoint", (const char *const *) im->config.entrypoint);
	jw_strings(w, "cmd", (const char *const *) im->config.cmd);
	jw_close(w);
	jw_array(w, "layers");
	for (size_t i = 0; i < im->manifest.n_layers; i++) {
		const struct descriptor *d = &im->manifest.layers[i];

		jw_object(w, NULL);
		jw_str(w, "mediaType", d->media_type);
		jw_str(w, "digest", digest_text(&d->digest).s);
		jw_uint(w, "size", d->size);
		jw_str(w, "diff_id", digest_text(&im->config.diff_ids[i]).s);
		show_place(w, s, im, i);
		jw_close(w);
	}
	jw_close(w);
	show_parents(w, s, im);
	jw_node(w, "manifest", json_root(im->manifest.doc));
	jw_node(w, "configuration", json_root(im->config.doc));
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

int cli_inspect(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	auto_store struct store s = STORE_NONE;
	auto_image struct image im = { 0 };
	struct err e = ERR_NONE;

	if (store_open(c->store, STORE_READ, &s, &e) < 0 ||
	    image_open(&s, operands[0], &im, &e) < 0 || inspect(&s, &im, &out, &e) < 0)
		return cli_fail("inspect", &e);
	return cli_print("inspect", &out);
}

/* A step of the configuration's "history", with the layer that it made, if any. */
struct step {
	const char *created, *by, *comment;
	const struct descriptor *layer;
	const struct digest *diff_id;
};

/* Steps that made nothing are marked; the others take the layers in their order. The list is the image's claim:
 * more steps than layers are steps without one. */
static size_t steps_of(const struct image *im, struct step *out)
{
	size_t n = 0, layer = 0;

	json_each (h, json_get(json_root(im->config.doc), "history")) {
		struct step s = { .created = json_str_or(h, "created", "-"),
				  .by = json_str_or(h, "created_by", ""),
				  .comment = json_str_or(h, "comment", "") };

		if (!json_bool_or(h, "empty_layer", false) && layer < im->manifest.n_layers) {
			s.layer = &im->manifest.layers[layer];
			s.diff_id = &im->config.diff_ids[layer++];
		}
		out[n++] = s;
	}
	for (; layer < im->manifest.n_layers; layer++)
		out[n++] = (struct step){ .created = "-",
					  .by = "",
					  .comment = "",
					  .layer = &im->manifest.layers[layer],
					  .diff_id = &im->config.diff_ids[layer] };
	return n;
}

static int pad_to(const char *s, int width)
{
	return width - (int) MIN(strlen(s), (size_t) width);
}

static int history_table(const struct step *v, size_t n, struct buf *out, struct err *e)
{
	if (buf_printf(out, e, "%-20s  %12s  %s\n", "CREATED", "SIZE", "STEP") < 0)
		return -1;
	for (size_t i = n; i-- > 0;) {
		struct cli_size size = { "-" };

		if (v[i].layer)
			size = cli_size(v[i].layer->size);
		if (put_plain(out, v[i].created, 20, e) < 0 ||
		    buf_printf(out, e, "%*s  %12s  ", pad_to(v[i].created, 20), "", size.s) <
			    0 ||
		    put_plain(out, v[i].by, 120, e) < 0 ||
		    (*v[i].by && *v[i].comment && buf_puts(out, ": ", e) < 0) ||
		    put_plain(out, v[i].comment, 60, e) < 0 || buf_puts(out, "\n", e) < 0)
			return -1;
	}
	return 0;
}

static int history_json(const struct step *v, size_t n, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, true);

	jw_array(w, NULL);
	for (size_t i = n; i-- > 0;) {
		jw_object(w, NULL);
		jw_str(w, "created", v[i].created);
		jw_str(w, "created_by", v[i].by);
		jw_str(w, "comment", v[i].comment);
		if (v[i].layer) {
			jw_str(w, "layer", digest_text(&v[i].layer->digest).s);
			jw_str(w, "diff_id", digest_text(v[i].diff_id).s);
			jw_uint(w, "size", v[i].layer->size);
		}
		jw_close(w);
	}
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

int cli_history(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	auto_store struct store s = STORE_NONE;
	auto_image struct image im = { 0 };
	auto_free struct step *v = NULL;
	const struct json *history;
	struct err e = ERR_NONE;
	bool json;
	size_t steps;

	if (cli_format(((const struct opts_format *) opts)->format, &json, &e) < 0 ||
	    store_open(c->store, STORE_READ, &s, &e) < 0 ||
	    image_open(&s, operands[0], &im, &e) < 0)
		return cli_fail("history", &e);
	history = json_get(json_root(im.config.doc), "history");
	v = xalloc(((history ? history->count : 0) + im.manifest.n_layers + 1) * sizeof(*v));
	steps = steps_of(&im, v);
	if ((json ? history_json : history_table)(v, steps, &out, &e) < 0)
		return cli_fail("history", &e);
	return cli_print("history", &out);
}
