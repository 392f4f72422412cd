#include "runtime/criu_request.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/util.h"
#include "runtime/container.h"

enum { STREAMS_MAX = 4096, LOG_LEVEL = 4, N_STREAMS = 3 };

static const char default_image[] = "checkpoint", streams_file[] = "descriptors.json";
static const char *const configurations[] = { "/etc/criu/carrel.conf", "/etc/criu/runc.conf" };

/* ---- directories ---- */

static int make_all(const char *path, struct err *e)
{
	auto_free char *copy = xstrdup(path);

	for (char *p = copy + 1; p[-1] && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0711) < 0 && errno != EEXIST)
			return err_sys(e, "mkdir %s", copy);
		*p = '/';
	}
	return mkdir(copy, 0700) < 0 && errno != EEXIST ? err_sys(e, "mkdir %s", copy) : 0;
}

static int open_dir(const char *path, struct err *e)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "%s", path) : fd;
}

int criu_dirs_open(const struct criu_args *a, bool make, struct criu_dirs *out, struct err *e)
{
	auto_criu_dirs struct criu_dirs d = CRIU_DIRS_NONE;

	d.image = a->image_path && a->image_path[0] ? a->image_path : default_image;
	if (make && make_all(d.image, e) < 0)
		return err_wrap(e, "--image-path");
	d.image_fd = open_dir(d.image, e);
	if (d.image_fd < 0)
		return err_wrap(e, "--image-path");
	d.log_dir = d.image;
	if (a->work_path && a->work_path[0]) {
		if (make_all(a->work_path, e) < 0)
			return err_wrap(e, "--work-path");
		d.log_dir = a->work_path;
	}
	d.work_fd = open_dir(d.log_dir, e);
	if (d.work_fd < 0)
		return err_wrap(e, "--work-path");
	*out = d;
	d = CRIU_DIRS_NONE;
	return 0;
}

/* criu opens what it wants by name, and truncates its log and its statistics: as root, wherever a link leads. */
static int check_entry(const struct criu_dirs *d, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(d->image_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "--image-path: %s/%s", d->image, name);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISSOCK(st.st_mode))
		return 0;
	/* Of --parent-path; criu reads nothing but pages there. */
	if (S_ISLNK(st.st_mode) && strcmp(name, "parent") == 0)
		return 0;
	return err_set(e, EPERM,
		       "--image-path: %s/%s is %s: criu would follow it, so a checkpoint may "
		       "hold plain files only; remove it",
		       d->image, name, S_ISLNK(st.st_mode) ? "a link" : "a pipe or a device");
}

int criu_dirs_check(const struct criu_dirs *d, struct err *e)
{
	const int fd = openat(d->image_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		(void) err_sys(e, "--image-path: %s", d->image);
		if (fd >= 0)
			(void) close(fd);
		return -1;
	}
	for (errno = 0; r == 0 && (entry = readdir(dir)); errno = 0)
		r = check_entry(d, entry->d_name, e);
	if (r == 0 && errno)
		r = err_sys(e, "--image-path: %s", d->image);
	(void) closedir(dir);
	return r;
}

void criu_dirs_close(struct criu_dirs *d)
{
	fd_close(&d->image_fd);
	fd_close(&d->work_fd);
}

/* ---- options ---- */

/* CRIU's numbers. */
enum {
	CGROUPS_IGNORE = 0,
	CGROUPS_SOFT = 3,
	CGROUPS_FULL = 4,
	CGROUPS_STRICT = 5,
	CGROUPS_DEFAULT = 6
};

static int parse_cgroups_mode(const char *s, int *out, struct err *e)
{
	static const struct {
		const char *name;
		int mode;
	} rows[] = {
		{ "", CGROUPS_DEFAULT },      { "soft", CGROUPS_SOFT },
		{ "full", CGROUPS_FULL },     { "strict", CGROUPS_STRICT },
		{ "ignore", CGROUPS_IGNORE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(s ? s : "", rows[i].name) == 0) {
			*out = rows[i].mode;
			return 0;
		}
	}
	return err_set(e, EINVAL,
		       "--manage-cgroups-mode %s: is none of soft, full, strict, ignore", s);
}

/* The network namespace of a container is its engine's, or nearly empty: its inside is never saved. */
static int check_empty_ns(const char *const *v, struct err *e)
{
	for (; v && *v; v++) {
		if (strcmp(*v, "network") != 0)
			return err_set(e, EINVAL,
				       "--empty-ns %s: namespace \"%s\" is not supported", *v,
				       *v);
	}
	return 0;
}

/* Its settings win over ours, as those who write one expect. An empty annotation: none at all. */
static void put_configuration(struct wire *w, const struct json *annotations)
{
	const char *named =
		annotations ? json_str_or(annotations, "org.criu.config", NULL) : NULL;

	if (named) {
		if (named[0])
			wire_str(w, CRIU_CONFIG_FILE, named);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(configurations); i++) {
		if (access(configurations[i], F_OK) == 0) {
			wire_str(w, CRIU_CONFIG_FILE, configurations[i]);
			return;
		}
	}
}

int criu_put_common(struct wire *w, const struct criu_args *a, const struct criu_dirs *d,
		    const char *log, const struct json *annotations, struct err *e)
{
	int mode;

	if (parse_cgroups_mode(a->cgroups_mode, &mode, e) < 0 ||
	    check_empty_ns(a->empty_ns, e) < 0)
		return -1;
	wire_int(w, CRIU_IMAGES_DIR_FD, d->image_fd);
	wire_int(w, CRIU_WORK_DIR_FD, d->work_fd);
	wire_int(w, CRIU_LOG_LEVEL, LOG_LEVEL);
	wire_str(w, CRIU_LOG_FILE, log);
	wire_int(w, CRIU_NOTIFY_SCRIPTS, true);
	wire_int(w, CRIU_ORPHAN_PTS_MASTER, true);
	wire_int(w, CRIU_MANAGE_CGROUPS, true);
	wire_int(w, CRIU_MANAGE_CGROUPS_MODE, mode);
	wire_int(w, CRIU_EMPTY_NS, CLONE_NEWNET);
	wire_int(w, CRIU_TCP_ESTABLISHED, a->tcp_established);
	wire_int(w, CRIU_EXT_UNIX_SK, a->ext_unix_sk);
	wire_int(w, CRIU_SHELL_JOB, a->shell_job);
	wire_int(w, CRIU_FILE_LOCKS, a->file_locks);
	wire_int(w, CRIU_LAZY_PAGES, a->lazy_pages);
	wire_int(w, CRIU_AUTO_DEDUP, a->auto_dedup);
	put_configuration(w, annotations);
	return w->r;
}

/* ---- standard streams ---- */

int criu_streams_save(int image_fd, pid_t pid, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(STREAMS_MAX);
	auto_json_writer struct json_writer *w = json_writer_new(&text, false);

	jw_array(w, NULL);
	for (int i = 0; i < N_STREAMS; i++) {
		char path[64], target[512];

		(void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, i);
		const ssize_t n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		jw_str(w, NULL, target);
	}
	jw_close(w);
	if (json_writer_end(w, e) < 0 ||
	    fd_write_atomic(image_fd, streams_file, buf_bytes(&text), buf_len(&text), 0600,
			    false, e) < 0)
		return err_wrap(e, "write %s", streams_file);
	return 0;
}

static bool is_pipe_name(const char *s)
{
	unsigned long long ino;
	char again[32];

	if (sscanf(s, "pipe:[%llu]", &ino) != 1)
		return false;
	const int n = snprintf(again, sizeof(again), "pipe:[%llu]", ino);
	return n > 0 && (size_t) n < sizeof(again) && strcmp(s, again) == 0;
}

int criu_streams_load(int image_fd, struct criu_streams *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(STREAMS_MAX);
	struct json_doc *doc = NULL;
	auto_close int fd = openat(image_fd, streams_file,
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	*out = (struct criu_streams){ 0 };
	if (fd < 0) {
		(void) err_sys(e, "%s", streams_file);
		return err_hint(e, "is --image-path the directory of a whole checkpoint?");
	}
	if (fd_read_all(fd, STREAMS_MAX, &text, e) < 0 ||
	    json_parse(buf_str(&text), buf_len(&text), NULL, &doc, e) < 0)
		return err_wrap(e, "%s", streams_file);
	size_t i = 0;
	json_each (it, json_root(doc)) {
		if (i == N_STREAMS)
			break;
		if (it->type == JSON_STRING && is_pipe_name(it->str.s))
			(void) snprintf(out->name[i], sizeof(out->name[i]), "%s", it->str.s);
		i++;
	}
	json_doc_free(doc);
	return 0;
}
