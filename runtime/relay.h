/*
 * A pty in the foreground: our stdin and stdout on one side, the master on the other, our terminal in raw mode
 * meanwhile. One bounded buffer a direction; a side that is not read stops only its own direction.
 */
#ifndef CARREL_RUNTIME_RELAY_H
#define CARREL_RUNTIME_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct err;

struct relay_way {
	int from, to;
	bool ended; /* end of file or error at `from` */
	size_t head, tail;
	char data[4096];
};

struct relay {
	int master; /* borrowed; non-blocking while relayed */
	bool raw;
	int peer; /* once stdin has ended: the terminal's other side, to see whether all was read */
	struct termios saved;
	struct relay_way in, out;
};

enum { RELAY_POLLS = 4 };

/* Switches stdin to raw mode when it is a terminal, and copies its size to the master. */
int relay_begin(struct relay *r, int master, struct err *e);
/* Restores the terminal. Accepts one that did not begin. */
void relay_end(struct relay *r);
/* Our terminal's size changed. */
void relay_resize(struct relay *r);
/* Fills RELAY_POLLS entries, and acts on them after poll. */
void relay_poll_fill(struct relay *r, struct pollfd p[RELAY_POLLS]);
void relay_poll_handle(struct relay *r, const struct pollfd p[RELAY_POLLS]);
/* How long poll may wait, and what to do when it waited that long: an input that has ended is said so by the
 * terminal's end-of-file character whenever the program wants to read. */
int relay_timeout_ms(const struct relay *r);
void relay_tick(struct relay *r);
/* What the program wrote before it ended. */
void relay_drain(struct relay *r);

#endif
