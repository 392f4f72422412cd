#include "images/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/erofs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "images/blob.h"
#include "images/confine.h"
#include "images/store.h"

enum { SMALL_JSON = 1 << 20 };

static const char *const formats[] = {
	[LAYER_DEFAULT] = "auto", [LAYER_DIR] = "dir", [LAYER_EROFS] = "erofs"
};

const char *layer_format_name(enum layer_format f)
{
	return formats[f];
}

int layer_format_parse(const char *s, enum layer_format *out, struct err *e)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(formats) && strcmp(s, formats[i]) != 0)
		i++;
	if (i == ARRAY_SIZE(formats))
		return err_set(e, EINVAL, "--format %.40s: auto, dir or erofs is expected", s);
	if (i == LAYER_EROFS && !erofs_known())
		return err_set(
			e, ENOTSUP,
			"--format erofs: this kernel cannot mount EROFS (CONFIG_EROFS_FS); "
			"auto takes what it can");
	*out = (enum layer_format) i;
	return 0;
}

enum layer_format layer_format_default(void)
{
	return LAYER_DIR;
}

static const char *const places[] = { [LAYER_DIR] = "root", [LAYER_EROFS] = "layer.erofs" };

const char *layer_place(enum layer_format f)
{
	return places[f];
}

int layer_open(int layers_fd, const char *hex, enum layer_format *format, struct err *e)
{
	for (size_t i = LAYER_DIR; i < ARRAY_SIZE(places); i++) {
		char path[DIGEST_HEX_MAX + 16];
		int fd;

		snprintf(path, sizeof(path), "%.128s/%s", hex, places[i]);
		fd = openat(layers_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			*format = (enum layer_format) i;
			return fd;
		}
		if (errno != ENOENT)
			return err_sys(e, "layers/%s", path);
	}
	return err_sys(e, "layers/%.128s", hex);
}

static int write_layer_json(int dir_fd, const struct blob *blob, enum layer_format format,
			    const struct unpack_result *r, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_json_writer struct json_writer *w = json_writer_new(&text, true);

	jw_object(w, NULL);
	jw_int(w, "version", 1);
	jw_str(w, "format", layer_format_name(format));
	jw_str(w, "diff_id", digest_text(&r->digest).s);
	jw_str(w, "blob", digest_text(&blob->digest).s);
	jw_str(w, "unpacked_at", clock_rfc3339_now().s);
	jw_uint(w, "bytes", r->bytes);
	jw_uint(w, "entries", r->entries);
	jw_uint(w, "files", r->stats.files);
	jw_uint(w, "directories", r->stats.dirs);
	jw_uint(w, "links", r->stats.links);
	jw_uint(w, "whiteouts", r->stats.whiteouts);
	jw_uint(w, "skipped_devices", r->stats.skipped_devices);
	jw_uint(w, "dropped_xattrs", r->stats.dropped_xattrs);
	jw_uint(w, "implied_directories", r->stats.implied);
	jw_object(w, "confinement"); /* of the child that unpacked it */
	jw_str(w, "namespaces", "user,mnt,net,ipc,uts,pid,cgroup");
	jw_bool(w, "seccomp", true);
	jw_int(w, "landlock", confine_landlock_abi());
	jw_close(w);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return fd_write_atomic(dir_fd, "layer.json", buf_bytes(&text), buf_len(&text), 0600,
			       false, e);
}

static int make_dir(int dir_fd, const char *name, mode_t mode, struct err *e)
{
	int fd;

	if (mkdirat(dir_fd, name, mode) < 0)
		return err_sys(e, "make %s", name);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", name);
	return fd;
}

/* The place that the store was put in gives its files nothing: no group, no default ACL. */
static int make_tree(int dir_fd, struct err *e)
{
	auto_close int fd = make_dir(dir_fd, places[LAYER_DIR], 0755, e);

	if (fd < 0)
		return -1;
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, 0755) < 0)
		return err_sys(e, "root");
	if (fremovexattr(fd, "system.posix_acl_default") < 0 && errno != ENODATA &&
	    errno != EOPNOTSUPP)
		return err_sys(e, "root: default ACL");
	return take_fd(&fd);
}

static int make_image(int dir_fd, struct err *e)
{
	int fd = openat(dir_fd, places[LAYER_EROFS], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			0600);

	return fd < 0 ? err_sys(e, "make layer.erofs") : fd;
}

int layer_start(struct store_work *w, const struct layer_spec *spec, struct layer_job *out,
		struct err *e)
{
	struct layer_job j = LAYER_JOB_NONE;

	j.work = w;
	j.format = spec->format == LAYER_DEFAULT ? layer_format_default() : spec->format;
	snprintf(j.name, sizeof(j.name), "partial.%u", w->serial++);
	auto_close int dir = make_dir(w->layers_fd, j.name, 0700, e);
	auto_close int place = dir < 0			 ? -1
			       : j.format == LAYER_EROFS ? make_image(dir, e)
							 : make_tree(dir, e);
	const bool image = j.format == LAYER_EROFS;
	const struct unpack_spec unpack = { .kind = UNPACK_LAYER,
					    .in_fd = spec->in_fd,
					    .compression = spec->compression,
					    .in_bytes = spec->in_bytes,
					    .tree_fd = image ? -1 : place,
					    .image_fd = image ? place : -1,
					    .skip_devices = spec->skip_devices,
					    .expect = spec->expect,
					    .limits = spec->limits };

	if (place < 0 || unpack_start(&unpack, &j.unpack, e) < 0)
		return -1;
	j.dir_fd = take_fd(&dir);
	*out = j;
	return 0;
}

static int settle(struct layer_job *j, const struct blob *verified,
		  const struct unpack_result *r, struct err *e)
{
	if (write_layer_json(j->dir_fd, verified, j->format, r, e) < 0)
		return -1;
	if (renameat2(j->work->layers_fd, j->name, j->work->layers_fd, r->digest.hex,
		      RENAME_NOREPLACE) < 0 &&
	    errno != EEXIST)
		return err_sys(e, "rename");
	return 0;
}

int layer_finish(struct layer_job *j, const struct blob *verified, struct digest *diff_id,
		 struct err *e)
{
	struct unpack_result r;
	int ret = unpack_finish(&j->unpack, &r, e);

	if (ret == 0)
		ret = settle(j, verified, &r, e);
	layer_cancel(j);
	if (ret < 0)
		return err_wrap(e, "layer %s", digest_text(&verified->digest).s);
	*diff_id = r.digest;
	return 0;
}

void layer_cancel(struct layer_job *j)
{
	unpack_cancel(&j->unpack);
	fd_close(&j->dir_fd);
}
