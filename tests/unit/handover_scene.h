/*
 * A table of processes with clients, in the middle of things, and the same after a hand-over; for the unit test and the fuzzer.
 */
#ifndef CARREL_TESTS_UNIT_HANDOVER_SCENE_H
#define CARREL_TESTS_UNIT_HANDOVER_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/pack.h"
#include "base/sock.h"
#include "base/util.h"
#include "shim/handover.h"
#include "shim/orders.h"
#include "shim/table.h"

enum { SCENE_BYTES = 16 << 20 };

static const struct orders scene_orders = { .id = "x",
					    .terminal = true,
					    .cols = 80,
					    .rows = 24,
					    .history_bytes = 65536,
					    .idle_ms = 100000,
					    .lifetime_ms = 200000,
					    .ack_window = 4096,
					    .max_clients = 8,
					    .max_processes = 4 };

struct scene {
	struct loop *loop;
	struct table table;
	int talk[2];
};

/* A scene from state; fds become its. */
static inline int scene_restore(struct scene *s, const void *p, size_t n, int *fds,
				size_t n_fds, struct err *e)
{
	struct unpack u = {
		.p = p, .n = n, .fds = fds, .n_fds = n_fds, .format = HANDOVER_FORMAT
	};
	struct table_spec spec = { .orders = &scene_orders };

	*s = (struct scene){ .talk = { -1, -1 } };
	if (loop_new(&s->loop, e) < 0 || sock_pair(SOCK_SEQPACKET, s->talk, e) < 0)
		abort();
	spec.loop = s->loop;
	spec.talk_fd = s->talk[0];
	(void) table_restore(&s->table, &spec, &u);
	return unpack_end(&u, e);
}

static inline void scene_close(struct scene *s)
{
	int listen_fd = s->table.control.listen_fd;

	table_fini(&s->table);
	if (listen_fd > 0)
		fd_close(&listen_fd);
	loop_free(s->loop);
	fd_close(&s->talk[0]);
	fd_close(&s->talk[1]);
}

/* The bytes, and duplicates of the descriptors; fds: to be freed. */
static inline size_t scene_save(const struct scene *s, struct buf *out, int **fds)
{
	struct pack p = PACK(SCENE_BYTES);
	struct err e = ERR_NONE;
	size_t n;

	table_save(&s->table, &p);
	if (pack_end(&p, &e) < 0 || buf_append(out, buf_bytes(&p.out), buf_len(&p.out), &e) < 0)
		abort();
	n = buf_len(&p.fds) / sizeof(int);
	*fds = xalloc(MAX(n, (size_t) 1) * sizeof(int));
	for (size_t i = 0; i < n; i++) {
		(*fds)[i] = fd_dup(((const int *) (const void *) buf_bytes(&p.fds))[i], &e);
		if ((*fds)[i] < 0)
			abort();
	}
	pack_fini(&p);
	return n;
}

#endif
