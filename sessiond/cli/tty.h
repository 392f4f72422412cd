/* This process's own terminal: raw mode and its way back, the size, and the keys that detach. */
#ifndef CARREL_SESSIOND_CLI_TTY_H
#define CARREL_SESSIOND_CLI_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

struct err;

struct tty {
	int fd;
	bool raw;
	struct termios saved;
};

int tty_raw(struct tty *t, int fd, struct err *e);
/* Accepts one that was never made raw. */
void tty_restore(struct tty *t);

/* 1 to 1000 each, as the protocol has them; false when fd is no terminal or does not know. */
bool tty_size(int fd, uint16_t *cols, uint16_t *rows);

/* Ctrl-P Ctrl-Q. A Ctrl-P is held back until the next key says what it was. */
struct detach_keys {
	bool held;
};
/* Filters n bytes from `in` to `out` (room for n + 1); true when the keys came: what stood before them is in
 * `out`, what follows them is dropped. */
bool detach_keys_filter(struct detach_keys *k, const uint8_t *in, size_t n, uint8_t *out,
			size_t *n_out);

#endif
