/*
 * Any state of a front: refused with a sentence, or restored to a table that saves the same state, goes on for a while and ends.
 *
 * First byte: how many descriptors came with it.
 */
#include "tests/unit/handover_scene.h"

#include "base/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* Nobody reads what the fuzzed clients are told. */
	log_open(2, LOG_TEXT, LOG_LV_ERROR + 1);
	return 0;
}

/* Sockets whose other sides are closed in the end: reads find nothing, then the end; writes go nowhere. */
static void open_fds(int *fds, int *others, size_t n)
{
	struct err e = ERR_NONE;
	int pair[2];

	for (size_t i = 0; i < n; i++) {
		if (sock_pair(SOCK_STREAM, pair, &e) < 0)
			abort();
		if (fd_set_nonblock(pair[0], true, &e) < 0)
			abort();
		fds[i] = pair[0];
		others[i] = pair[1];
	}
}

static void go_on(struct scene *s, int *others, size_t n)
{
	struct err e = ERR_NONE;

	if (table_go_on(&s->table, &e) < 0)
		return;
	for (int i = 0; i < 4; i++)
		if (loop_turn(s->loop, 0, &e) < 0)
			abort();
	for (size_t i = 0; i < n; i++)
		fd_close(&others[i]);
	for (int i = 0; i < 4; i++)
		if (loop_turn(s->loop, 0, &e) < 0)
			abort();
}

/* What is restored is what was saved. */
static void check_same(const struct scene *s, const uint8_t *data, size_t n)
{
	auto_buf struct buf again = BUF_LIMIT(SCENE_BYTES);
	struct err e = ERR_NONE;
	struct scene copy;
	int *fds = NULL;
	size_t n_fds = scene_save(s, &again, &fds);

	for (size_t i = 0; i < n_fds; i++)
		fd_close(&fds[i]);
	free(fds);
	if (scene_restore(&copy, buf_bytes(&again), buf_len(&again), NULL, n_fds, &e) < 0)
		abort();
	scene_close(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int fds[32], others[32];
	size_t n_fds = n > 0 ? data[0] % 32 : 0;
	struct err e = ERR_NONE;
	struct scene s;
	int r;

	if (n < 1)
		return 0;
	open_fds(fds, others, n_fds);
	r = scene_restore(&s, data + 1, n - 1, fds, n_fds, &e);
	if (r < 0 && !e.msg[0])
		abort();
	if (r == 0) {
		check_same(&s, data + 1, n - 1);
		go_on(&s, others, n_fds);
	}
	scene_close(&s);
	for (size_t i = 0; i < n_fds; i++) {
		if (r < 0)
			fd_close(&fds[i]);
		fd_close(&others[i]);
	}
	return 0;
}
