/*
 * One loop, one blocking call: descriptors by epoll, timers, signals by signalfd, children by pidfd.
 *
 * Handlers do a bounded amount of work and return; they never call loop_run or loop_turn. An object
 * that a handler wants to destroy is handed to loop_defer and destroyed at the end of the turn, when no
 * handler of this turn can still see it. No threads.
 */
#ifndef CARREL_BASE_LOOP_H
#define CARREL_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct loop;
struct child_status;

/* events: EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR | EPOLLRDHUP as reported by epoll (level-triggered). */
typedef void (*loop_io_fn)(void *arg, uint32_t events);
typedef void (*loop_fn)(void *arg);
typedef void (*loop_signal_fn)(void *arg, int sig);

/* Embedded in the watching object; zero it before the first loop_io_add. fd is borrowed. */
struct loop_io {
	int fd;
	uint32_t events;
	loop_io_fn fn;
	void *arg;
	struct loop *loop; /* set while added */
};

struct loop_timer {
	uint64_t due_ns; /* CLOCK_MONOTONIC; 0 = not set */
	loop_fn fn;
	void *arg;
	struct loop *loop;
	size_t slot; /* in the heap, 1-based */
};

struct loop_defer {
	loop_fn fn;
	void *arg;
	struct loop_defer *next;
	bool queued;
};

int loop_new(struct loop **out, struct err *e);
void loop_free(struct loop *l);

/* Runs until loop_stop. */
int loop_run(struct loop *l, struct err *e);
/* One turn: waits at most timeout_ms (-1: until something happens), then handles all of it. */
int loop_turn(struct loop *l, int timeout_ms, struct err *e);
void loop_stop(struct loop *l);

int loop_io_add(struct loop *l, struct loop_io *io, int fd, uint32_t events, loop_io_fn fn,
		void *arg, struct err *e);
/* No system call when events do not change. events 0 keeps it registered for HUP and ERR only. */
int loop_io_set(struct loop_io *io, uint32_t events, struct err *e);
/* To be called before the descriptor is closed. Safe from any handler; pending events of this turn for it are dropped. Accepts one never added. */
void loop_io_del(struct loop_io *io);

/* (Re)arms; fires once. delay 0 fires in the next turn. */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t delay_ms, loop_fn fn,
		    void *arg);
void loop_timer_set_ns(struct loop *l, struct loop_timer *t, uint64_t due_ns, loop_fn fn,
		       void *arg);
void loop_timer_del(struct loop_timer *t);

/* Blocks the signal in the process and delivers it here. One handler per signal. */
int loop_signal(struct loop *l, int sig, loop_signal_fn fn, void *arg, struct err *e);

void loop_defer(struct loop *l, struct loop_defer *d, loop_fn fn, void *arg);

#endif
