/*
 * What the runtime asks carrel-sdbus for: one packet of text, fields separated by tabs.
 *
 *   OP BUS TIMEOUT_MS UNIT              start, set, stop, attach or where; system or user; UNIT is "-" for where
 *   p TYPE NAME VALUE...                a property of the unit, with its D-Bus type: b s t u as ay a(ss)
 *   pid N PATH                          attach: this process, into the unit's group or PATH below it ("/")
 *
 * The first line stands once, the others follow, each on its own line. The answer is "ok", a tab and the control
 * group of the unit or of the manager where there is one to tell, or "error", a tab, an errno value, a tab and a
 * sentence.
 */
#ifndef CARREL_RUNTIME_SYSTEMD_REQUEST_H
#define CARREL_RUNTIME_SYSTEMD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { REQUEST_MAX = 128 * 1024, REQUEST_FIELDS = 4096 };

enum request_op { REQUEST_START, REQUEST_SET, REQUEST_STOP, REQUEST_ATTACH, REQUEST_WHERE };

struct request_property {
	const char *type, *name;
	char **values;
	size_t n;
};

struct request {
	enum request_op op;
	bool user;
	uint64_t timeout_ms;
	const char *unit;
	struct request_property *props;
	size_t n_props;
	uint32_t pid; /* 0: none */
	const char *below;

	char *text, **fields; /* what the pointers above point into */
};

/* `text` is copied. */
int request_parse(const char *text, struct request *out, struct err *e);
void request_fini(struct request *r);

#endif
