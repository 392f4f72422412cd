/* du and verify: what reads the whole store. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "images/cli/cli.h"
#include "images/store.h"
#include "images/usage.h"
#include "images/verify.h"

enum { OUTPUT_MAX = 16 << 20 };

static int du_table(const struct usage *u, struct buf *out, struct err *e)
{
	int width = (int) strlen("NAME");

	for (size_t i = 0; i < u->n; i++) {
		if (u->v[i].name)
			width = MAX(width, (int) strlen(u->v[i].name));
	}
	if (buf_printf(out, e, "%-*s  %-12s  %12s  %12s  %12s\n", width, "NAME", "DIGEST",
		       "TOTAL", "SHARED", "OWN") < 0)
		return -1;
	for (size_t i = 0; i < u->n; i++) {
		const struct usage_image *im = &u->v[i];

		if (buf_printf(out, e, "%-*s  %.12s  %12s  %12s  %12s\n", width,
			       im->name ? im->name : "-", im->digest.hex,
			       cli_size(im->own + im->shared).s, cli_size(im->shared).s,
			       cli_size(im->own).s) < 0)
			return -1;
	}
	return buf_printf(out, e, "\nstore: %s, of which gc would free %s\n",
			  cli_size(u->total).s, cli_size(u->unused).s);
}

static int du_json(const struct usage *u, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, true);

	jw_object(w, NULL);
	jw_uint(w, "total", u->total);
	jw_uint(w, "unused", u->unused);
	jw_array(w, "images");
	for (size_t i = 0; i < u->n; i++) {
		const struct usage_image *im = &u->v[i];

		jw_object(w, NULL);
		jw_str(w, "name", im->name);
		jw_str(w, "digest", digest_text(&im->digest).s);
		jw_uint(w, "total", im->own + im->shared);
		jw_uint(w, "shared", im->shared);
		jw_uint(w, "own", im->own);
		jw_close(w);
	}
	jw_close(w);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

int cli_du(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	auto_store struct store s = STORE_NONE;
	auto_usage struct usage u = { 0 };
	struct err e = ERR_NONE;
	bool json;

	if (cli_format(((const struct opts_format *) opts)->format, &json, &e) < 0 ||
	    store_open(c->store, STORE_READ, &s, &e) < 0 || usage_measure(&s, &u, &e) < 0 ||
	    (json ? du_json : du_table)(&u, &out, &e) < 0)
		return cli_fail("du", &e);
	return cli_print("du", &out);
}

/* As they are found: a store takes minutes. Lines of text, or of JSON. */
static void print_finding(void *arg, const struct verify_finding *f)
{
	const bool *json = arg;
	auto_buf struct buf out = BUF_LIMIT(64 * 1024);
	struct err e = ERR_NONE;

	if (*json) {
		auto_json_writer struct json_writer *w = json_writer_new(&out, false);

		jw_object(w, NULL);
		jw_str(w, "object", f->object);
		jw_str(w, "broken", f->what);
		jw_str(w, "repair", f->repair);
		jw_close(w);
		(void) json_writer_end(w, &e);
		(void) buf_puts(&out, "\n", &e);
	} else {
		(void) buf_printf(&out, &e, "%s: %s%s%s%s\n", f->object, f->what,
				  f->repair ? " (" : "", f->repair ? f->repair : "",
				  f->repair ? ")" : "");
	}
	(void) cli_print("verify", &out);
}

static int print_summary(const struct verify_result *r, bool json, struct buf *out,
			 struct err *e)
{
	auto_json_writer struct json_writer *w = NULL;

	if (!json)
		return buf_printf(
			out, e,
			"%llu blobs (%s), %llu layers%s, %llu images: %llu broken, %llu of "
			"them repaired\n",
			(unsigned long long) r->blobs, cli_size(r->bytes).s,
			(unsigned long long) r->layers,
			r->layers_skipped ? " (only the owner can check them)" : "",
			(unsigned long long) r->images, (unsigned long long) r->broken,
			(unsigned long long) r->repaired);
	w = json_writer_new(out, false);
	jw_object(w, NULL);
	jw_uint(w, "blobs", r->blobs);
	jw_uint(w, "bytes", r->bytes);
	jw_uint(w, "layers", r->layers);
	jw_bool(w, "layers_skipped", r->layers_skipped);
	jw_uint(w, "images", r->images);
	jw_uint(w, "broken", r->broken);
	jw_uint(w, "repaired", r->repaired);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

int cli_verify(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const struct opts_verify *o = opts;
	auto_buf struct buf out = BUF_LIMIT(4096);
	auto_store struct store s = STORE_NONE;
	struct verify_result r = { 0 };
	struct err e = ERR_NONE;
	bool json;
	const struct verify_options v = { .repair = o->repair,
					  .found = print_finding,
					  .arg = &json };

	if (cli_format(o->format, &json, &e) < 0 ||
	    store_open(c->store, o->repair ? STORE_SHARED : STORE_READ, &s, &e) < 0 ||
	    verify_store(&s, &v, &r, &e) < 0 || print_summary(&r, json, &out, &e) < 0)
		return cli_fail("verify", &e);
	if (cli_print("verify", &out) != 0)
		return 1;
	return r.broken > r.repaired ? CLI_BROKEN : 0;
}
