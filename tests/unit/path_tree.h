/*
 * The tree that the path tests resolve in: a root with every kind of link, and a secret beside it.
 */
#ifndef CARREL_TESTS_UNIT_PATH_TREE_H
#define CARREL_TESTS_UNIT_PATH_TREE_H

#include "tests/unit/scratch.h"

#include "base/path.h"

/* What the root holds. `what`: d directory, f file, p FIFO, l link, x directory only root may search. */
static const struct {
	char what;
	const char *name, *text;
} path_tree[] = {
	{ 'd', "a", NULL },
	{ 'd', "a/b", NULL },
	{ 'f', "a/b/file", "inside" },
	{ 'd', "etc", NULL },
	{ 'f', "etc/passwd", "inside" },
	{ 'p', "fifo", NULL },
	{ 'x', "locked", NULL },
	{ 'f', "locked/file", "inside" },
	{ 'l', "rel", "a/b" },
	{ 'l', "abs", "/a/b" },
	{ 'l', "slash", "a/b/" },
	{ 'l', "a/back", "../etc" },
	{ 'l', "a/b/deepabs", "/etc" },
	{ 'l', "tofile", "a/b/file" },
	{ 'l', "fileslash", "a/b/file/" },
	{ 'l', "dangling", "/nowhere/x" },
	{ 'l', "up", "../../../../../../../../etc/passwd" },
	{ 'l', "upabs", "/../../../etc/passwd" },
	{ 'l', "upout", "../outside" },
	{ 'l', "a/upout", "../../../outside/secret" },
	{ 'l', "loop1", "loop2" },
	{ 'l', "loop2", "loop1" },
	{ 'l', "self", "self" },
	{ 'l', "torel", "rel" },
	{ 'l', "dot", "." },
	{ 'l', "toroot", "/" },
	{ 'l', "tofifo", "fifo" },
};

struct place {
	struct scratch s;
	int root; /* s/root, with s/outside/secret beside it */
};

static inline void make_chain(int root)
{
	char name[32], text[32] = "a/b/file";

	for (int i = 1; i <= 41; i++) {
		(void) snprintf(name, sizeof(name), "chain%d", i);
		assert_int_equal(symlinkat(text, root, name), 0);
		(void) memcpy(text, name, sizeof(text));
	}
}

static inline void make_entry(int root, char what, const char *name, const char *text)
{
	switch (what) {
	case 'd':
		assert_int_equal(mkdirat(root, name, 0755), 0);
		break;
	case 'x':
		assert_int_equal(mkdirat(root, name, 0700), 0);
		break;
	case 'p':
		assert_int_equal(mkfifoat(root, name, 0644), 0);
		break;
	case 'l':
		assert_int_equal(symlinkat(text, root, name), 0);
		break;
	default:
		put_file(root, name, text);
	}
}

static inline int place_setup(void **state)
{
	struct place *p = xalloc(sizeof(*p));
	char host[128];

	p->s = scratch_open();
	assert_int_equal(fchmod(p->s.fd, 0755), 0);
	assert_int_equal(mkdirat(p->s.fd, "outside", 0755), 0);
	put_file(p->s.fd, "outside/secret", "secret");
	assert_int_equal(mkdirat(p->s.fd, "root", 0755), 0);
	p->root = openat(p->s.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->root >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(path_tree); i++)
		make_entry(p->root, path_tree[i].what, path_tree[i].name, path_tree[i].text);
	make_chain(p->root);
	(void) snprintf(host, sizeof(host), "%s/outside", p->s.path);
	assert_int_equal(symlinkat(host, p->root, "hostabs"), 0);
	*state = p;
	return 0;
}

static inline int place_teardown(void **state)
{
	struct place *p = *state;

	path_force_walk(false);
	fd_close(&p->root);
	scratch_close(&p->s);
	free(p);
	return 0;
}

static inline bool same_file(int fd, int root, const char *name)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 &&
	       fstatat(root, name, &b, AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH)) ==
		       0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

#endif
