/*
 * Unix sockets: names, modes, messages, and descriptors that must not leak when a message is refused.
 */
#include "tests/unit/scratch.h"

#include <sys/un.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/sock.h"

static bool has(int fd, int flag)
{
	return (fcntl(fd, F_GETFL) & flag) != 0;
}

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static mode_t mode_of(int dirfd, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISSOCK(st.st_mode));
	return st.st_mode & 07777;
}

static void check_connection(int dirfd, const char *name, int type)
{
	auto_close int l = -1, c = -1, a = -1;
	struct ucred peer = { 0 };
	char text[16] = "";

	assert_ok(l = sock_listen_at(dirfd, name, type, 0600, &e));
	assert_true(is_cloexec(l) && has(l, O_NONBLOCK));
	assert_err(sock_accept(l, &e), EAGAIN);
	assert_ok(c = sock_connect_at(dirfd, name, type, &e));
	assert_true(is_cloexec(c) && !has(c, O_NONBLOCK));
	assert_ok(a = sock_accept(l, &e));
	assert_true(is_cloexec(a) && has(a, O_NONBLOCK));
	assert_err(sock_recv(a, text, sizeof(text), NULL, NULL, &e), EAGAIN);
	assert_ok(sock_send(c, "hello", 5, NULL, 0, &e));
	assert_int_equal(sock_recv(a, text, sizeof(text), NULL, NULL, &(struct err){ 0 }), 5);
	assert_string_equal(text, "hello");
	assert_ok(sock_peer(a, &peer, &e));
	assert_true(peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid());
	fd_close(&c);
	assert_int_equal(sock_recv(a, text, sizeof(text), NULL, NULL, &(struct err){ 0 }), 0);
	assert_err(sock_send(a, "x", 1, NULL, 0, &e), EPIPE); /* an error, not a signal */
}

static void test_connection(void **state)
{
	const struct scratch *s = *state;
	int before = count_fds();

	check_connection(s->fd, "seq", SOCK_SEQPACKET);
	check_connection(s->fd, "stream", SOCK_STREAM);
	assert_int_equal(count_fds(), before);
	assert_err(sock_peer(STDIN_FILENO, &(struct ucred){ 0 }, &e), ENOTSOCK);
}

/* Directories far longer than sun_path. */
static void test_long_paths(void **state)
{
	const struct scratch *s = *state;
	char part[101], name[101], path[512];
	auto_close int dir = fd_dup(s->fd, &(struct err){ 0 });
	int before;

	(void) memset(part, 'p', 100);
	part[100] = '\0';
	for (int i = 0; i < 3; i++) {
		assert_int_equal(mkdirat(dir, part, 0755), 0);
		int next = openat(dir, part, O_PATH | O_DIRECTORY | O_CLOEXEC);

		fd_close(&dir);
		dir = next;
	}
	before = count_fds();
	check_connection(dir, "s", SOCK_SEQPACKET);
	(void) snprintf(path, sizeof(path), "%s/%s/%s/%s/absolute", s->path, part, part, part);
	check_connection(AT_FDCWD, path, SOCK_STREAM);
	(void) snprintf(path, sizeof(path), "%s/relative", part);
	check_connection(s->fd, path, SOCK_STREAM);
	(void) memset(name, 'n', 100);
	name[100] = '\0';
	assert_err(sock_listen_at(dir, name, SOCK_STREAM, 0600, &e), ENAMETOOLONG);
	assert_err(sock_connect_at(dir, name, SOCK_STREAM, &e), ENAMETOOLONG);
	assert_err(sock_listen_at(dir, "", SOCK_STREAM, 0600, &e), EINVAL);
	assert_err(sock_listen_at(dir, "none/s", SOCK_STREAM, 0600, &e), ENOENT);
	assert_err(sock_connect_at(dir, "none", SOCK_STREAM, &e), ENOENT);
	assert_int_equal(count_fds(), before);
}

static void test_modes(void **state)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };
	static const mode_t modes[] = { 0600, 0660, 0666, 0777 };
	const struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(modes); k++) {
			mode_t before = umask(masks[i]);
			auto_close int l = -1;

			assert_ok(l = sock_listen_at(s->fd, "m", SOCK_STREAM, modes[k], &e));
			(void) umask(before);
			assert_int_equal(mode_of(s->fd, "m"), modes[k]);
		}
	}
}

static void test_stale_and_alive(void **state)
{
	const struct scratch *s = *state;
	auto_close int first = -1, second = -1;
	struct stat before, after;

	assert_ok(first = sock_listen_at(s->fd, "s", SOCK_SEQPACKET, 0600, &e));
	assert_err(sock_listen_at(s->fd, "s", SOCK_SEQPACKET, 0600, &e), EADDRINUSE);
	assert_err(sock_listen_at(s->fd, "s", SOCK_STREAM, 0600, &e), EADDRINUSE);
	assert_int_equal(fstatat(s->fd, "s", &before, 0), 0);
	fd_close(&first);
	assert_err(sock_connect_at(s->fd, "s", SOCK_SEQPACKET, &e), ECONNREFUSED);
	assert_ok(second = sock_listen_at(s->fd, "s", SOCK_SEQPACKET, 0600, &e));
	assert_ok(first = sock_connect_at(s->fd, "s", SOCK_SEQPACKET, &e));

	/* What is no socket is left alone, a link included. */
	put_file(s->fd, "file", "kept");
	assert_err(sock_listen_at(s->fd, "file", SOCK_STREAM, 0600, &e), EEXIST);
	assert_int_equal(symlinkat("file", s->fd, "link"), 0);
	assert_err(sock_listen_at(s->fd, "link", SOCK_STREAM, 0600, &e), EEXIST);
	assert_int_equal(fstatat(s->fd, "file", &after, 0), 0);
	assert_int_equal(after.st_size, 4);
}

static void test_descriptors(void **unused_arg state)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_STREAM };

	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		int pair[2], fds[SOCK_MAX_FDS], got[SOCK_MAX_FDS], before = count_fds();
		size_t n = ARRAY_SIZE(got);
		char text[8] = "";

		assert_ok(sock_pair(types[t], pair, &e));
		assert_true(is_cloexec(pair[0]) && is_cloexec(pair[1]));
		for (int i = 0; i < SOCK_MAX_FDS; i++) {
			fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
			assert_true(fds[i] >= 0);
		}
		assert_ok(sock_send(pair[0], "abc", 3, fds, SOCK_MAX_FDS, &e));
		assert_int_equal(sock_recv(pair[1], text, 8, got, &n, &(struct err){ 0 }), 3);
		assert_int_equal(n, SOCK_MAX_FDS);
		for (size_t i = 0; i < n; i++) {
			assert_true(is_cloexec(got[i]) && got[i] != fds[i]);
			fd_close(&got[i]);
		}
		n = 3;
		assert_ok(sock_send(pair[0], "x", 1, fds, 2, &e));
		assert_int_equal(sock_recv(pair[1], text, 8, got, &n, &(struct err){ 0 }), 1);
		assert_int_equal(n, 2);
		fd_close(&got[0]);
		fd_close(&got[1]);
		assert_ok(sock_send(pair[0], "x", 1, NULL, 0, &e));
		assert_int_equal(sock_recv(pair[1], text, 8, got, &n, &(struct err){ 0 }), 1);
		assert_int_equal(n, 0);
		assert_err(sock_send(pair[0], "x", 1, fds, SOCK_MAX_FDS + 1, &e), EINVAL);
		assert_err(sock_send(pair[0], "", 0, fds, 1, &e), EINVAL);
		for (int i = 0; i < SOCK_MAX_FDS; i++)
			fd_close(&fds[i]);
		fd_close(&pair[0]);
		fd_close(&pair[1]);
		assert_int_equal(count_fds(), before);
	}
}

/* More descriptors than our own sender would ever put into a message. */
static void send_raw(int fd, const char *text, size_t n_text, size_t n_fds)
{
	union {
		char bytes[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *) text, .iov_len = n_text };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = CMSG_SPACE(n_fds * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	for (size_t i = 0; i < n_fds; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
	assert_int_equal(sendmsg(fd, &m, 0), n_text);
}

static void test_refused_messages_leak_nothing(void **unused_arg state)
{
	static const struct {
		size_t n_text, room_text, n_fds, room_fds;
	} cases[] = {
		{ 10, 9, 0, 8 },   { 10, 9, 8, 8 },   { 10, 0, 3, 8 },
		{ 10, 10, 3, 2 },  { 10, 10, 1, 0 },  { 10, 10, 9, 8 },
		{ 10, 10, 64, 8 }, { 10, 10, 64, 0 }, { 10, 9, 64, 1 },
	};
	int pair[2], before;

	assert_ok(sock_pair(SOCK_SEQPACKET, pair, &e));
	before = count_fds();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int got[8] = { 0 };
		char text[16];
		size_t n = cases[i].room_fds;

		if (cases[i].n_fds)
			send_raw(pair[0], "0123456789", cases[i].n_text, cases[i].n_fds);
		else
			assert_ok(
				sock_send(pair[0], "0123456789", cases[i].n_text, NULL, 0, &e));
		assert_err(sock_recv(pair[1], text, cases[i].room_text, got, &n, &e), EMSGSIZE);
		assert_int_equal(n, 0);
		assert_int_equal(count_fds(), before);
	}
	/* and without any place for them */
	send_raw(pair[0], "x", 1, 2);
	assert_err(sock_recv(pair[1], (char[1]){ 0 }, 1, NULL, NULL, &e), EMSGSIZE);
	/* an empty message with descriptors reads as the end of the stream */
	send_raw(pair[0], "", 0, 2);
	assert_int_equal(sock_recv(pair[1], (char[1]){ 0 }, 1, NULL, NULL, &(struct err){ 0 }),
			 0);
	assert_int_equal(count_fds(), before);
	/* the connection is still good */
	assert_ok(sock_send(pair[0], "y", 1, NULL, 0, &e));
	assert_int_equal(sock_recv(pair[1], (char[1]){ 0 }, 1, NULL, NULL, &(struct err){ 0 }),
			 1);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

/* Its last words are heard, whether or not it has read ours. */
static void test_peer_gone(void **unused_arg state)
{
	struct err why = ERR_NONE;
	char text[16];

	for (int unread = 0; unread < 2; unread++) {
		int pair[2];

		assert_ok(sock_pair(SOCK_SEQPACKET, pair, &e));
		if (unread)
			assert_ok(sock_send(pair[0], "go on", 5, NULL, 0, &e));
		assert_ok(sock_send(pair[1], "why", 3, NULL, 0, &e));
		(void) close(pair[1]);
		assert_int_equal(sock_recv(pair[0], text, sizeof(text), NULL, NULL, &why), 3);
		assert_memory_equal(text, "why", 3);
		assert_int_equal(sock_recv(pair[0], text, sizeof(text), NULL, NULL, &why), 0);
		(void) close(pair[0]);
	}
	/* Without last words: that it has not read ours is no ordinary end. */
	int pair[2];
	assert_ok(sock_pair(SOCK_SEQPACKET, pair, &e));
	assert_ok(sock_send(pair[0], "go on", 5, NULL, 0, &e));
	(void) close(pair[1]);
	assert_err(sock_recv(pair[0], text, sizeof(text), NULL, NULL, &e), ECONNRESET);
	(void) close(pair[0]);
}

static void test_full(void **unused_arg state)
{
	auto_free char *block = xalloc(65536);
	int pair[2];
	struct err e = ERR_NONE;

	if (sock_pair(SOCK_SEQPACKET, pair, &e) < 0)
		fail_msg("%s", e.msg);
	if (fd_set_nonblock(pair[0], true, &e) < 0)
		fail_msg("%s", e.msg);
	for (int i = 0; i < 1000 && e.code == 0; i++)
		(void) sock_send(pair[0], block, 65536, NULL, 0, &e);
	assert_int_equal(e.code, EAGAIN);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connection, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(test_long_paths, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(test_modes, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_stale_and_alive, scratch_setup,
						scratch_teardown),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_refused_messages_leak_nothing),
		cmocka_unit_test(test_peer_gone),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests_name("base/sock", tests, NULL, NULL);
}
