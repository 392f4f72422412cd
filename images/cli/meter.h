/* Progress on stderr: a line that changes on a terminal, JSON lines elsewhere, or nothing. */
#ifndef CARREL_IMAGES_CLI_METER_H
#define CARREL_IMAGES_CLI_METER_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "images/digest.h"
#include "images/progress.h"

struct err;

enum meter_kind { METER_SILENT, METER_TTY, METER_JSON };

struct meter {
	struct progress progress; /* to be handed on; its arg is this, which must not move */
	enum meter_kind kind;
	struct meter_blob {
		struct digest digest;
		uint64_t done, total;
	} * v;
	size_t n;
	uint64_t shown_ms, begun_ms;
	int open; /* a line stands on the terminal */
};
#define METER_NONE ((struct meter){ 0 })
#define auto_meter auto_cleanup(meter_close)

/* "auto" (NULL: the same), "tty", "json", "none". */
int meter_open(const char *kind, struct meter *m, struct err *e);
void meter_close(struct meter *m);

#endif
