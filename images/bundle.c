#include "images/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/erofs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "images/bundle_internal.h"
#include "images/layer.h"
#include "images/parents.h"
#include "images/store.h"
#include "images/view.h"

enum {
	PASSWD_LIMIT = 1 << 20,
	CONFIG_LIMIT = 4 << 20,
	MAX_LAYERS = MANIFEST_LAYERS + 2,
	MAX_ENV = 1024,
	TTY_GID = 5
};

static const char home_fallback[] = "/workspace";

/* The layers' roots as descriptors and as paths, bottom first; on top the store's mount points. */
struct layers {
	int fds[MAX_LAYERS];
	char *paths[MAX_LAYERS + 1];
	size_t n;
};

static void layers_fini(struct layers *l)
{
	for (size_t i = 0; i < l->n; i++) {
		fd_close(&l->fds[i]);
		free(l->paths[i]);
	}
	l->n = 0;
}

/* To look into an image, it is mounted where nobody else sees it. */
static int add_layer(struct layers *l, const struct store *s, const char *hex, struct err *e)
{
	enum layer_format format;
	auto_close int fd = layer_open(s->layers_fd, hex, &format, e);

	if (fd < 0) {
		(void) err_wrap(e, "%s", s->path);
		return err_hint(e, "carrel-image verify --repair unpacks it again");
	}
	if (format == LAYER_EROFS) {
		const int image = take_fd(&fd);

		fd = erofs_look(image, e);
		(void) close(image);
		if (fd < 0)
			return err_wrap(e, "layers/%s", hex);
	}
	l->fds[l->n] = take_fd(&fd);
	l->paths[l->n++] = xasprintf("%s/layers/%s/%s", s->path, hex, layer_place(format));
	return 0;
}

static int add_mountpoints(struct layers *l, const struct store *s, struct err *e)
{
	static const char name[] = "mountpoints/root";
	int fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "%s/%s", s->path, name);
	l->fds[l->n] = fd;
	l->paths[l->n++] = xasprintf("%s/%s", s->path, name);
	return 0;
}

/* Of few images. */
static int add_parents(struct layers *l, const struct store *s, const struct image *im,
		       struct err *e)
{
	struct err why = ERR_NONE;
	struct digest name;
	const int fd = parents_open(s, im->config.diff_ids, im->config.n_diff_ids, &name, &why);

	if (fd < 0 && why.code == ENOENT)
		return 0;
	if (fd < 0) {
		*e = why;
		return -1;
	}
	l->fds[l->n] = fd;
	l->paths[l->n++] =
		xasprintf("%s/layers/%s/%s", s->path, name.hex, layer_place(LAYER_DIR));
	return 0;
}

static bool comes_again(const struct imageconfig *c, size_t i)
{
	for (size_t k = i + 1; k < c->n_diff_ids; k++) {
		if (digest_equal(&c->diff_ids[k], &c->diff_ids[i]))
			return true;
	}
	return false;
}

/* Overlayfs takes no directory twice. What a layer has, and hides, counts where it stands uppermost: below that it changes
 * nothing any more. */
static int open_layers(const struct store *s, const struct image *im, struct layers *l,
		       struct err *e)
{
	for (size_t i = 0; i < im->config.n_diff_ids; i++) {
		if (!comes_again(&im->config, i) &&
		    add_layer(l, s, im->config.diff_ids[i].hex, e) < 0)
			return -1;
	}
	if (add_parents(l, s, im, e) < 0)
		return -1;
	return add_mountpoints(l, s, e);
}

/* "" when the image has no such file. */
static int read_text(const struct view *v, const char *path, struct buf *out, struct err *e)
{
	struct err why = ERR_NONE;
	auto_close int fd = view_open_file(v, path, &why);

	if (fd < 0 && why.code == ENOENT)
		return 0;
	if (fd < 0) {
		*e = why;
		return -1;
	}
	if (fd_read_all(fd, PASSWD_LIMIT, out, e) < 0)
		return err_wrap(e, "%s in the image", path);
	return 0;
}

static int find_user(struct bundle *b, const struct view *v, struct err *e)
{
	auto_buf struct buf passwd = BUF_LIMIT(PASSWD_LIMIT + 1);
	auto_buf struct buf group = BUF_LIMIT(PASSWD_LIMIT + 1);
	const char *spec = b->options->user ? b->options->user : b->image->config.user;

	if (read_text(v, "/etc/passwd", &passwd, e) < 0 ||
	    read_text(v, "/etc/group", &group, e) < 0 ||
	    user_resolve(spec, buf_str(&passwd), buf_str(&group), &b->user, e) < 0)
		return -1;
	if (b->user.uid >= b->options->uid_count || b->user.gid >= b->options->uid_count)
		return err_set(e, ERANGE, "user %u:%u: the container has the ids 0 to %u only",
			       b->user.uid, b->user.gid, b->options->uid_count - 1);
	return 0;
}

static void add_place(struct bundle *b, const char *path, unsigned share, const char *options,
		      bool owned)
{
	b->places[b->n_places++] = (struct bundle_place){
		.path = path, .share = share, .options = options, .owned = owned
	};
}

/* A home directory is made writable where homes usually are; elsewhere (/usr/sbin for daemon) a tmpfs would
 * hide what the image has there, and the user gets /workspace. */
static int choose_places(struct bundle *b, const struct view *v, struct err *e)
{
	const char *home = b->user.home;
	int there = 0;

	if (str_has_prefix(home, "/home/") || strcmp(home, "/root") == 0) {
		there = view_has_dir(v, home, e);
		if (there < 0)
			return -1;
	}
	b->home = there ? home : home_fallback;
	add_place(b, "/tmp", 2, "mode=1777", false);
	add_place(b, "/run", 1, "mode=0755,noexec", true);
	add_place(b, "/dev/shm", 1, "mode=1777,noexec", false);
	if (there) {
		add_place(b, home, 8, "mode=0700,tmpcopyup", true);
		add_place(b, "/workspace", 4, "mode=0755", true);
	} else {
		add_place(b, "/workspace", 12, "mode=0755", true);
	}
	if (b->options->tier.workspace.kind == WORKSPACE_TMPFS)
		b->places[b->n_places - 1].size = b->options->tier.workspace.size;
	return 0;
}

/* 1 at the place, 2 below it, 0 elsewhere. */
static int where(const struct bundle *b, const char *path)
{
	for (size_t i = 0; i < b->n_places; i++) {
		size_t n = strlen(b->places[i].path);

		if (strncmp(path, b->places[i].path, n) != 0)
			continue;
		if (path[n] == '\0')
			return 1;
		if (path[n] == '/')
			return 2;
	}
	return 0;
}

static int choose_cwd(struct bundle *b, const struct view *v, struct err *e)
{
	const char *cwd = b->options->cwd ? b->options->cwd : b->image->config.workdir;
	int at, there;

	if (!cwd || !*cwd) {
		b->cwd = b->home;
		return 0;
	}
	if (!path_is_clean_absolute(cwd))
		return err_set(e, EINVAL,
			       "working directory '%.100s': an absolute path without "
			       "'.', '..' and '//' is expected",
			       cwd);
	at = where(b, cwd);
	if (at == 2)
		return err_set(e, ENOENT,
			       "working directory %.100s: it lies in a writable place, "
			       "which is empty at first",
			       cwd);
	there = at == 1 ? 1 : view_has_dir(v, cwd, e);
	if (there < 0)
		return -1;
	if (!there)
		return err_set(e, ENOENT, "working directory %.100s: not in the image", cwd);
	b->cwd = cwd;
	return 0;
}

static void set_env(struct bundle *b, char *entry)
{
	size_t n = (size_t) (strchr(entry, '=') - entry) + 1, i = 0;

	while (b->env[i] && strncmp(b->env[i], entry, n) != 0)
		i++;
	free(b->env[i]);
	b->env[i] = entry;
}

static int copy_env(struct bundle *b, const char *const *from, const char *what, struct err *e)
{
	for (size_t i = 0; from && from[i]; i++) {
		if (imageconfig_check_env(from[i], e) < 0)
			return err_wrap(e, "%s", what);
		set_env(b, xstrdup(from[i]));
	}
	return 0;
}

/* Later ones win: ours, the image's, the caller's. */
static int choose_env(struct bundle *b, struct err *e)
{
	const char *const *image = (const char *const *) b->image->config.env;
	size_t n = (image ? strv_len((char *const *) image) : 0) +
		   (b->options->env ? strv_len((char *const *) b->options->env) : 0);

	if (n > MAX_ENV)
		return err_set(e, E2BIG, "more than %d environment variables", MAX_ENV);
	b->env = xalloc((n + 8) * sizeof(*b->env));
	set_env(b,
		xstrdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	set_env(b, xstrdup("LANG=C.UTF-8"));
	if (b->options->terminal)
		set_env(b, xstrdup("TERM=xterm-256color"));
	set_env(b, xasprintf("HOME=%s", b->home));
	if (*b->user.name)
		set_env(b, xasprintf("USER=%s", b->user.name));
	if (copy_env(b, image, "config.Env", e) < 0)
		return -1;
	return copy_env(b, b->options->env, "--env", e);
}

static size_t add_args(char **to, size_t n, const char *const *from)
{
	for (size_t i = 0; from && from[i]; i++)
		to[n++] = xstrdup(from[i]);
	return n;
}

static int choose_args(struct bundle *b, struct err *e)
{
	const struct imageconfig *c = &b->image->config;
	const char *const *given = b->options->args;
	const char *const *entry = given ? given : (const char *const *) c->entrypoint;
	const char *const *cmd = given ? NULL : (const char *const *) c->cmd;
	size_t room = 4, n = 0;

	room += entry ? strv_len((char *const *) entry) : 0;
	room += cmd ? strv_len((char *const *) cmd) : 0;
	b->args = xalloc(room * sizeof(*b->args));
	if (b->options->init) {
		b->args[n++] = xstrdup(BUNDLE_INIT_PATH);
		b->args[n++] = xstrdup("--");
	}
	room = n;
	n = add_args(b->args, n, entry);
	n = add_args(b->args, n, cmd);
	if (n == room)
		return err_set(e, EINVAL, "the image names no command; give one after --");
	return 0;
}

static int check_options(const struct bundle_options *o, struct err *e)
{
	const uint64_t ids = 1ULL << 32;

	if (o->uid_count <= TTY_GID)
		return err_set(e, EINVAL,
			       "--uid-count %u: the terminal's group is %d, so at "
			       "least %d are needed",
			       o->uid_count, TTY_GID, TTY_GID + 1);
	if ((uint64_t) o->uid_base + o->uid_count >= ids)
		return err_set(e, EINVAL,
			       "--uid-base %u --uid-count %u: no range of ids below 2^32-1",
			       o->uid_base, o->uid_count);
	if (o->uid_base == 0)
		return err_set(e, EINVAL,
			       "--uid-base 0: the container's root would be the "
			       "host's");
	if (o->init && !path_is_clean_absolute(o->init))
		return err_set(e, EINVAL, "--init %.100s: an absolute path is expected",
			       o->init);
	if (o->init && access(o->init, X_OK) < 0)
		return err_sys(e, "--init %s", o->init);
	return 0;
}

static int load_seccomp(const char *path, struct json_doc **doc, struct err *e)
{
	const struct json *root;

	if (json_parse_file(AT_FDCWD, path, NULL, doc, e) < 0) {
		(void) err_wrap(e, "seccomp profile");
		return e->code == ENOENT ? err_hint(e, "choose one with --seccomp") : -1;
	}
	root = json_root(*doc);
	if (root->type != JSON_OBJECT || !json_get(root, "defaultAction"))
		return err_set(
			e, EINVAL,
			"seccomp profile %s: defaultAction: missing; an OCI linux.seccomp "
			"object is expected",
			path);
	return 0;
}

static int write_files(const struct bundle *b, const struct layers *l, const char *dir,
		       struct err *e)
{
	auto_buf struct buf config = BUF_LIMIT(CONFIG_LIMIT), rootfs = BUF_LIMIT(CONFIG_LIMIT);
	auto_close int fd = -1;

	if (bundle_print_config(b, &config, e) < 0 ||
	    bundle_print_rootfs(b, l->paths, &rootfs, e) < 0)
		return -1;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", dir);
	if (fd_write_atomic(fd, "config.json", buf_bytes(&config), buf_len(&config), 0600,
			    false, e) < 0 ||
	    fd_write_atomic(fd, "rootfs.json", buf_bytes(&rootfs), buf_len(&rootfs), 0600,
			    false, e) < 0)
		return err_wrap(e, "%s", dir);
	return 0;
}

static int decide(struct bundle *b, const struct view *v, struct err *e)
{
	if (find_user(b, v, e) < 0 || choose_places(b, v, e) < 0 || choose_cwd(b, v, e) < 0 ||
	    choose_env(b, e) < 0)
		return -1;
	return choose_args(b, e);
}

static int write_bundle(struct bundle *b, const struct store *s, const char *dir,
			struct layers *l, struct err *e)
{
	auto_json struct json_doc *profile = NULL;
	auto_view struct view *v = NULL;

	if (load_seccomp(b->options->seccomp, &profile, e) < 0 ||
	    open_layers(s, b->image, l, e) < 0)
		return -1;
	b->seccomp = json_root(profile);
	v = view_new(l->fds, l->n);
	if (decide(b, v, e) < 0)
		return -1;
	return write_files(b, l, dir, e);
}

int bundle_write(const struct store *s, const char *image, const char *dir,
		 const struct bundle_options *o, struct err *e)
{
	auto_image struct image im = { 0 };
	struct bundle b = { .options = o, .image = &im };
	struct layers *l;
	int r;

	if (check_options(o, e) < 0 || image_open(s, image, &im, e) < 0)
		return -1;
	l = xalloc(sizeof(*l));
	r = write_bundle(&b, s, dir, l, e);
	util_free_strv(&b.env);
	util_free_strv(&b.args);
	layers_fini(l);
	free(l);
	return r < 0 ? err_wrap(e, "image %s", image) : 0;
}
