/* Any arguments, one per line: what is accepted lies within argv and within the table's promises. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/opt.h"
#include "base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { ARGS_MAX = 64 };

struct options {
	bool on, off;
	const char *name;
	struct opt_list list;
	uint64_t number, bytes, ms;
	int64_t whole;
};

static const struct opt opts[] = {
	{ "on", 'o', OPT_SWITCH, offsetof(struct options, on), NULL, "" },
	{ "off", 'f', OPT_SWITCH, offsetof(struct options, off), NULL, "" },
	{ "name", 'n', OPT_STRING, offsetof(struct options, name), "NAME", "" },
	{ "list", 'l', OPT_LIST, offsetof(struct options, list), "X", "" },
	{ "number", 'u', OPT_UINT, offsetof(struct options, number), "N", "" },
	{ "bytes", 'b', OPT_BYTES, offsetof(struct options, bytes), "BYTES", "" },
	{ "time", 't', OPT_DURATION, offsetof(struct options, ms), "TIME", "" },
	{ "int", 'i', OPT_INT, offsetof(struct options, whole), "N", "" },
	{ 0 },
};

static const struct opt_cmd cmds[] = {
	{ .name = "any",
	  .max_operands = -1,
	  .opts = opts,
	  .opts_size = sizeof(struct options) },
	{ .name = "two",
	  .min_operands = 1,
	  .max_operands = 2,
	  .opts = opts,
	  .opts_size = sizeof(struct options) },
	{ .name = "stop",
	  .min_operands = 1,
	  .max_operands = -1,
	  .fixed_operands = 1,
	  .opts = opts,
	  .flags = OPT_STOP_AT_OPERAND,
	  .opts_size = sizeof(struct options) },
	{ 0 },
};

static bool inside(const char *s, const char *text, size_t n)
{
	return s >= text && s <= text + n;
}

static void check_list(const struct opt_list *l, const char *text, size_t n)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!inside(l->v[i], text, n))
			abort();
	}
	if (l->v && l->v[l->n])
		abort();
}

static void check(const struct opt_parsed *p, int argc, const char *text, size_t n)
{
	const struct options *o = p->opts;

	if (p->n_operands > argc || p->n_operands < p->cmd->min_operands)
		abort();
	if (p->cmd->max_operands >= 0 && p->n_operands > p->cmd->max_operands)
		abort();
	for (int i = 0; i < p->n_operands; i++) {
		if (!inside(p->operands[i], text, n))
			abort();
	}
	if (p->operands[p->n_operands] || (o->name && !inside(o->name, text, n)))
		abort();
	check_list(&o->list, text, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct opt_program prog = {
		.name = "fuzz", .summary = "s", .opts = opts, .cmds = cmds
	};
	auto_free char *text = xalloc(n + 1);
	char *argv[ARGS_MAX + 1] = { (char *) "fuzz" };
	struct opt_parsed p = { 0 };
	struct options g = { 0 };
	struct err e = ERR_NONE;
	int argc = 1, r;

	memcpy(text, data, n);
	for (char *s = text; s && argc < ARGS_MAX;) {
		argv[argc++] = s;
		s = strchr(s, '\n');
		if (s)
			*s++ = '\0';
	}
	r = opt_parse(&prog, argc, argv, &g, &p, &e);
	if (r < 0 && (!e.code || !e.msg[0] || p.opts || p.operands))
		abort();
	if (r == OPT_RUN)
		check(&p, argc, text, n);
	check_list(&g.list, text, n);
	opt_parsed_fini(&p);
	opt_list_fini(&g.list);
	return 0;
}
