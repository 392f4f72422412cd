/*
 * What several unit tests need around the thing they test: a scratch directory, a count of open
 * descriptors, a system call that this process may no longer make.
 */
#ifndef CARREL_TESTS_UNIT_SCRATCH_H
#define CARREL_TESTS_UNIT_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

/* 0 expected, with the error's text in the failure. */
#define assert_ok(call)                                                                        \
	do {                                                                                   \
		struct err e = ERR_NONE;                                                       \
		if ((call) < 0)                                                                \
			fail_msg("%s: %s", #call, e.msg);                                      \
	} while (0)

/* A failure with this errno expected, and a sentence to go with it. */
#define assert_err(call, errno_value)                                                          \
	do {                                                                                   \
		struct err e = ERR_NONE;                                                       \
		assert_int_equal((call), -1);                                                  \
		if (e.code != (errno_value))                                                   \
			fail_msg("%s: code %d, expected %d: %s", #call, e.code, (errno_value), \
				 e.msg);                                                       \
		assert_true(strlen(e.msg) > 0);                                                \
	} while (0)

struct scratch {
	int fd;
	char path[64];
};

static inline struct scratch scratch_open(void)
{
	struct scratch s = { .path = "/tmp/carrel-unit.XXXXXX" };

	assert_non_null(mkdtemp(s.path));
	s.fd = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s.fd >= 0);
	return s;
}

static inline void scratch_close(struct scratch *s)
{
	auto_close int parent = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	fd_close(&s->fd);
	assert_ok(fd_remove_tree(parent, strrchr(s->path, '/') + 1, &e));
}

/* The same as a fixture: *state is a struct scratch. */
static inline int scratch_setup(void **state)
{
	struct scratch *s = xalloc(sizeof(*s));

	*s = scratch_open();
	*state = s;
	return 0;
}

static inline int scratch_teardown(void **state)
{
	scratch_close(*state);
	free(*state);
	return 0;
}

static inline void put_file(int dirfd, const char *name, const char *text)
{
	auto_close int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static inline int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void) closedir(d);
	return n;
}

/* From here on the call fails with this errno in this process: for a child only. */
static inline int forbid_call(long number, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned) number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned) error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static inline void says(const struct err *e, const char *what)
{
	if (!strstr(e->msg, what))
		fail_msg("'%s' does not say '%s'", e->msg, what);
}

static inline void assert_no_children(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
}

/* A file in memory with this content. */
static inline int memory(const char *text)
{
	int fd = memfd_create(text, MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

#endif
