#include "sessiond/cli/tty.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"

enum { CTRL_P = 0x10, CTRL_Q = 0x11, SIZE_MAX_V1 = 1000 };

int tty_raw(struct tty *t, int fd, struct err *e)
{
	struct termios raw;

	if (tcgetattr(fd, &t->saved) < 0)
		return err_sys(e, "terminal");
	raw = t->saved;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		return err_sys(e, "terminal");
	t->fd = fd;
	t->raw = true;
	return 0;
}

void tty_restore(struct tty *t)
{
	if (t->raw)
		(void) tcsetattr(t->fd, TCSADRAIN, &t->saved);
	t->raw = false;
}

bool tty_size(int fd, uint16_t *cols, uint16_t *rows)
{
	struct winsize w;

	if (ioctl(fd, TIOCGWINSZ, &w) < 0 || w.ws_col == 0 || w.ws_row == 0)
		return false;
	*cols = (uint16_t) MIN(w.ws_col, SIZE_MAX_V1);
	*rows = (uint16_t) MIN(w.ws_row, SIZE_MAX_V1);
	return true;
}

bool detach_keys_filter(struct detach_keys *k, const uint8_t *in, size_t n, uint8_t *out,
			size_t *n_out)
{
	size_t o = 0;

	for (size_t i = 0; i < n; i++) {
		if (k->held && in[i] == CTRL_Q) {
			k->held = false;
			*n_out = o;
			return true;
		}
		if (k->held)
			out[o++] = CTRL_P;
		k->held = in[i] == CTRL_P;
		if (!k->held)
			out[o++] = in[i];
	}
	*n_out = o;
	return false;
}
