/* ls and inspect: what only reads the store. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "images/cli/cli.h"
#include "images/image.h"
#include "images/index.h"
#include "images/store.h"

enum { OUTPUT_MAX = 16 << 20 };

static void show_strings(struct json_writer *w, const char *key, const char **v)
{
	if (!v)
		return;
	jw_array(w, key);
	for (size_t i = 0; v[i]; i++)
		jw_str(w, NULL, v[i]);
	jw_close(w);
}

static void show_summary(struct json_writer *w, const struct image *im)
{
	jw_str(w, "name", im->name);
	jw_str(w, "digest", digest_text(&im->digest).s);
	jw_uint(w, "size", im->size);
	jw_str(w, "created", im->config.created);
	jw_str(w, "architecture", im->config.arch);
}

static int ls_json(const struct store *s, const struct index *ix, struct buf *out,
		   struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, true);

	jw_array(w, NULL);
	for (size_t i = 0; i < ix->n; i++) {
		auto_image struct image im = { 0 };

		if (image_load(s, &ix->v[i], &im, e) < 0)
			return -1;
		jw_object(w, NULL);
		show_summary(w, &im);
		jw_uint(w, "layers", im.manifest.n_layers);
		jw_close(w);
	}
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

static int ls_table(const struct store *s, const struct index *ix, struct buf *out,
		    struct err *e)
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

		if (image_load(s, &ix->v[i], &im, e) < 0 ||
		    buf_printf(out, e, "%-*s  %.12s  %6.1f MiB  %.19s\n", width,
			       im.name ? im.name : "-", im.digest.hex,
			       (double) im.size / (1 << 20),
			       im.config.created ? im.config.created : "-") < 0)
			return -1;
	}
	return 0;
}

int cli_ls(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const char *format = ((const struct opts_ls *) opts)->format;
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	auto_store struct store s = STORE_NONE;
	auto_index struct index ix = { 0 };
	struct err e = ERR_NONE;
	int r;

	if (store_open(c->store, STORE_READ, &s, &e) < 0 || index_load(&s, &ix, &e) < 0)
		return cli_fail("ls", &e);
	if (!format || strcmp(format, "table") == 0)
		r = ls_table(&s, &ix, &out, &e);
	else if (strcmp(format, "json") == 0)
		r = ls_json(&s, &ix, &out, &e);
	else
		r = err_set(&e, EINVAL, "--format %s: is none of table, json", format);
	return r < 0 ? cli_fail("ls", &e) : cli_print("ls", &out);
}

static int inspect(const struct image *im, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, true);

	jw_object(w, NULL);
	show_summary(w, im);
	jw_object(w, "config");
	jw_str(w, "user", im->config.user);
	jw_str(w, "workdir", im->config.workdir);
	show_strings(w, "env", im->config.env);
	show_strings(w, "entrypoint", im->config.entrypoint);
	show_strings(w, "cmd", im->config.cmd);
	jw_close(w);
	jw_array(w, "layers");
	for (size_t i = 0; i < im->manifest.n_layers; i++) {
		const struct descriptor *d = &im->manifest.layers[i];

		jw_object(w, NULL);
		jw_str(w, "mediaType", d->media_type);
		jw_str(w, "digest", digest_text(&d->digest).s);
		jw_uint(w, "size", d->size);
		jw_str(w, "diff_id", digest_text(&im->config.diff_ids[i]).s);
		jw_close(w);
	}
	jw_close(w);
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
	    image_open(&s, operands[0], &im, &e) < 0 || inspect(&im, &out, &e) < 0)
		return cli_fail("inspect", &e);
	return cli_print("inspect", &out);
}
