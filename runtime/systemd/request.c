#include "runtime/systemd/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"

static const char *const ops[] = { "start", "set", "stop", "attach", "where" };

enum { TIMEOUT_MAX_MS = 600000, LINES_MAX = 1024 };

void request_fini(struct request *r)
{
	free(r->props);
	free(r->fields);
	free(r->text);
	*r = (struct request){ 0 };
}

/* Cuts the line at its tabs; the fields are appended to r->fields from `used` on. */
static size_t cut(char *line, char **fields, size_t room)
{
	size_t n = 0;

	for (char *next = line; next && n < room; n++) {
		fields[n] = next;
		next = strchr(next, '\t');
		if (next)
			*next++ = '\0';
	}
	return n;
}

static int parse_head(char **f, size_t n, struct request *r, struct err *e)
{
	if (n != 4)
		return err_set(e, EINVAL, "request: the first line has %zu fields, not 4", n);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (strcmp(f[0], ops[i]) == 0) {
			r->op = (enum request_op) i;
			r->user = strcmp(f[1], "user") == 0;
			r->unit = f[3];
			return str_to_u64(f[2], TIMEOUT_MAX_MS, "request: timeout",
					  &r->timeout_ms, e);
		}
	return err_set(e, EINVAL, "request: \"%s\" is no operation", f[0]);
}

static int parse_line(char **f, size_t n, struct request *r, struct err *e)
{
	uint64_t pid;

	if (n >= 3 && strcmp(f[0], "p") == 0) {
		r->props[r->n_props++] = (struct request_property){ f[1], f[2], f + 3, n - 3 };
		return 0;
	}
	if (n != 3 || strcmp(f[0], "pid") != 0)
		return err_set(e, EINVAL, "request: \"%s\" is no line of a request", f[0]);
	if (str_to_u64(f[1], INT32_MAX, "request: pid", &pid, e) < 0)
		return -1;
	r->pid = (uint32_t) pid;
	r->below = f[2];
	return 0;
}

int request_parse(const char *text, struct request *out, struct err *e)
{
	struct request r = {
		.text = xstrdup(text),
		.fields = xalloc(REQUEST_FIELDS * sizeof(char *)),
		.props = xalloc(LINES_MAX * sizeof(struct request_property)),
	};
	size_t used = 0, lines = 0;
	char *save = NULL;
	int ok = 0;

	for (char *line = strtok_r(r.text, "\n", &save); line && ok == 0;
	     line = strtok_r(NULL, "\n", &save), lines++) {
		char **f = r.fields + used;
		size_t n = cut(line, f, REQUEST_FIELDS - used);

		used += n;
		if (used == REQUEST_FIELDS || lines == LINES_MAX)
			ok = err_set(e, E2BIG, "request: too long");
		else
			ok = lines == 0 ? parse_head(f, n, &r, e) : parse_line(f, n, &r, e);
	}
	if (ok == 0 && lines == 0)
		ok = err_set(e, EINVAL, "request: empty");
	if (ok < 0) {
		request_fini(&r);
		return -1;
	}
	*out = r;
	return 0;
}
