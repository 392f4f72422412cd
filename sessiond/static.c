#include "sessiond/static.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "sessiond/digest.h"
#include "sessiond/problem.h"
#include "sessiond/request.h"
#include "sessiond/server.h"

enum { FILES_MAX = 128, FILE_MAX = 8 * 1024 * 1024 };

struct file {
	char name[128]; /* "app.js", "assets/font.woff2" */
	const char *type;
	char etag[36]; /* in quotes, as it stands in the header */
	struct buf bytes;
};

struct pages {
	struct file v[FILES_MAX];
	size_t n;
};

/* clang-format off */
static const struct {
	const char *suffix, *type;
} types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".txt", "text/plain; charset=utf-8" },
	{ ".svg", "image/svg+xml" },
	{ ".png", "image/png" },
	{ ".ico", "image/x-icon" },
	{ ".woff2", "font/woff2" },
	{ ".webmanifest", "application/manifest+json" },
};
/* clang-format on */

/* Scripts and rules of style come from here only (web/src/rules.ts is why that does), and nothing may frame the page. */
static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; "
			     "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
			     "manifest-src 'self'; base-uri 'none'; form-action 'none'; "
			     "frame-ancestors 'none'";

static const char *type_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (name[0] != '.' && str_has_suffix(name, types[i].suffix))
			return types[i].type;
	}
	return NULL;
}

static int load_one(struct pages *p, int dir_fd, const char *prefix, const char *name,
		    struct err *e)
{
	struct file *f = &p->v[p->n];
	const char *type = type_of(name);
	struct digest hash;
	struct stat st;
	char hex[33];

	if (!type || fstatat(dir_fd, name, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (p->n == FILES_MAX)
		return err_set(e, E2BIG, "more than %d files", FILES_MAX);
	if (strlen(prefix) + strlen(name) >= sizeof(f->name))
		return err_set(e, ENAMETOOLONG, "%s: the name is too long", name);
	f->bytes = BUF_LIMIT(FILE_MAX);
	if (fd_read_file(dir_fd, name, FILE_MAX, &f->bytes, e) < 0) {
		buf_fini(&f->bytes);
		return -1;
	}
	(void) stpcpy(stpcpy(f->name, prefix), name);
	f->type = type;
	hash = digest_sha256(buf_bytes(&f->bytes), buf_len(&f->bytes));
	str_hex(hash.bytes, 16, hex);
	(void) snprintf(f->etag, sizeof(f->etag), "\"%s\"", hex);
	p->n++;
	return 0;
}

static int load_dir(struct pages *p, const char *path, const char *prefix, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return err_sys(e, "%s", path);
	dir = fdopendir(fd);
	if (!dir) {
		err_sys(e, "%s", path);
		fd_close(&fd);
		return -1;
	}
	while (r == 0 && (entry = readdir(dir)))
		r = load_one(p, dirfd(dir), prefix, entry->d_name, e);
	(void) closedir(dir);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

int pages_load(const char *dir, struct pages **out, struct err *e)
{
	struct pages *p = xalloc(sizeof(*p));
	auto_free char *assets = xasprintf("%s/assets", dir);
	int r = load_dir(p, dir, "", e);

	if (r == 0 && access(assets, F_OK) == 0)
		r = load_dir(p, assets, "assets/", e);
	if (r < 0) {
		pages_free(p);
		return err_wrap(e, "page");
	}
	*out = p;
	return 0;
}

void pages_free(struct pages *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		buf_fini(&p->v[i].bytes);
	free(p);
}

static void serve(struct request *rq, const char *name)
{
	const struct pages *p = rq->server->pages;
	const char *known = request_header(rq, "If-None-Match");

	for (size_t i = 0; p && i < p->n; i++) {
		const struct file *f = &p->v[i];

		if (strcmp(f->name, name) != 0)
			continue;
		if (known && strcmp(known, f->etag) == 0)
			reply_empty(rq, 304);
		else
			reply_fixed(rq, 200, f->type, buf_bytes(&f->bytes), buf_len(&f->bytes));
		reply_header(rq, "Content-Security-Policy", policy);
		reply_header(rq, "ETag", f->etag);
		/* The document itself is always fetched; its parts are asked for by their hash. */
		reply_header(rq, "Cache-Control",
			     str_has_suffix(name, ".html") ? "no-store" : "no-cache");
		return;
	}
	problem_reply(rq, PROBLEM_NOT_FOUND, p ? "no such path" : "this server has no page");
}

void static_index(struct request *rq)
{
	serve(rq, "index.html");
}

void static_file(struct request *rq)
{
	serve(rq, rq->target.path + 1);
}
