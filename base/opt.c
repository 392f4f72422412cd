#include "base/opt.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"

/* One pass over arguments: the program's own until its command, or a command's. */
struct pass {
	int argc, i;
	char **argv;
	const struct opt *opts;
	void *block;
	bool version_wanted; /* --version and -v mean something here */
	int stop_after;	     /* operands after which no option is looked for; -1: never */
	bool skip_dashes;    /* a "--" right there is dropped */
	const char **operands;
	int n_operands;
	struct err *e;
};

void opt_list_fini(struct opt_list *l)
{
	free(l->v);
	*l = (struct opt_list){ 0 };
}

static void list_add(struct opt_list *l, const char *s)
{
	const char **v = xalloc((l->n + 2) * sizeof(*v));

	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	v[l->n] = s;
	free(l->v);
	l->v = v;
	l->n++;
}

static const struct opt *find_long(const struct opt *opts, const char *name, size_t n)
{
	for (const struct opt *o = opts; o && o->name; o++) {
		if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	}
	return NULL;
}

static const struct opt *find_letter(const struct opt *opts, char c)
{
	for (const struct opt *o = opts; o && o->name; o++) {
		if (o->letter == c)
			return o;
	}
	return NULL;
}

static int store_switch(const struct opt *o, bool *out, const char *value, struct err *e)
{
	if (!value || strcmp(value, "true") == 0)
		*out = true;
	else if (strcmp(value, "false") == 0)
		*out = false;
	else
		return err_set(e, EINVAL,
			       "--%s is a switch: \"%.80s\" is neither true nor false", o->name,
			       value);
	return 0;
}

static int store(const struct opt *o, void *block, const char *value, struct err *e)
{
	void *out = (char *) block + o->offset;
	char what[64] = "--";

	(void) strncat(what, o->name, sizeof(what) - 3);
	switch (o->kind) {
	case OPT_SWITCH:
		return store_switch(o, out, value, e);
	case OPT_STRING:
		*(const char **) out = value;
		return 0;
	case OPT_LIST:
		list_add(out, value);
		return 0;
	case OPT_UINT:
		return str_to_u64(value, UINT64_MAX, what, out, e);
	case OPT_INT:
		return str_to_i64(value, INT64_MIN, INT64_MAX, what, out, e);
	case OPT_BYTES:
		return str_to_bytes(value, what, out, e);
	case OPT_DURATION:
		return str_to_ms(value, what, out, e);
	}
	return err_set(e, EINVAL, "%s: option of an unknown kind", what);
}

/* Stores `attached`, or the next argument when there is none. */
static int store_value(struct pass *p, const struct opt *o, const char *attached)
{
	if (!attached && o->kind != OPT_SWITCH) {
		if (p->i >= p->argc)
			return err_set(p->e, EINVAL, "--%s needs a value%s%s", o->name,
				       o->arg ? ": " : "", o->arg ? o->arg : "");
		attached = p->argv[p->i++];
	}
	return store(o, p->block, attached, p->e);
}

/* `name` is what stands behind the dashes. */
static int parse_long(struct pass *p, const char *name)
{
	const char *eq = strchr(name, '=');
	size_t n = eq ? (size_t) (eq - name) : strlen(name);
	const struct opt *o = find_long(p->opts, name, n);

	if (o)
		return store_value(p, o, eq ? eq + 1 : NULL);
	if (strcmp(name, "help") == 0)
		return OPT_HELP;
	if (strcmp(name, "version") == 0 && p->version_wanted)
		return OPT_VERSION;
	return err_set(p->e, EINVAL, "unknown option --%.*s", (int) MIN(n, 80u), name);
}

/* Go programs take a long option with one dash too, and containerd relies on it. */
static bool is_long(const struct pass *p, const char *arg)
{
	return str_has_prefix(arg, "--") || strcmp(arg, "-help") == 0 ||
	       (strcmp(arg, "-version") == 0 && p->version_wanted) ||
	       find_long(p->opts, arg + 1, strcspn(arg + 1, "="));
}

/* "-dt", "-u USER", "-uUSER", "-dtuUSER". */
static int parse_letters(struct pass *p, const char *arg)
{
	for (const char *c = arg + 1; *c; c++) {
		const struct opt *o = find_letter(p->opts, *c);

		if (o && o->kind != OPT_SWITCH)
			return store_value(p, o, c[1] ? c + 1 : NULL);
		if (o && store(o, p->block, NULL, p->e) < 0)
			return -1;
		if (o)
			continue;
		if (*c == 'h')
			return OPT_HELP;
		if (*c == 'v' && p->version_wanted)
			return OPT_VERSION;
		if (c == arg + 1 && !c[1])
			return err_set(p->e, EINVAL, "unknown option %s", arg);
		return err_set(p->e, EINVAL, "unknown option -%c in \"%.80s\"", *c, arg);
	}
	return OPT_RUN;
}

static void take_rest(struct pass *p)
{
	while (p->i < p->argc)
		p->operands[p->n_operands++] = p->argv[p->i++];
}

static void take_operand(struct pass *p)
{
	p->operands[p->n_operands++] = p->argv[p->i++];
	if (p->n_operands != p->stop_after)
		return;
	if (p->skip_dashes && p->i < p->argc && strcmp(p->argv[p->i], "--") == 0)
		p->i++;
	take_rest(p);
}

static int run_pass(struct pass *p)
{
	int r = OPT_RUN;

	p->operands = xalloc(((size_t) (p->argc - p->i) + 1) * sizeof(*p->operands));
	while (r == OPT_RUN && p->i < p->argc) {
		const char *arg = p->argv[p->i];

		if (arg[0] != '-' || !arg[1]) {
			take_operand(p);
			continue;
		}
		p->i++;
		if (strcmp(arg, "--") == 0)
			take_rest(p);
		else if (is_long(p, arg))
			r = parse_long(p, arg + (arg[1] == '-' ? 2 : 1));
		else
			r = parse_letters(p, arg);
	}
	return r;
}

const struct opt_cmd *opt_find_cmd(const struct opt_program *prog, const char *name)
{
	for (const struct opt_cmd *c = prog->cmds; c && c->name; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

/* Callers of other runtimes probe for a command with "NAME --help" and look for this sentence. */
static int unknown_cmd(const struct opt_program *prog, const struct pass *p, const char *name,
		       struct err *e)
{
	for (int i = p->i; i < p->argc; i++) {
		if (strcmp(p->argv[i], "--help") == 0 || strcmp(p->argv[i], "-h") == 0)
			return err_set(e, EINVAL, "No help topic for '%.80s'", name);
	}
	return err_set(e, EINVAL, "unknown command \"%.80s\"; see %s --help", name, prog->name);
}

/* "help" and "help NAME", unless the program has a command of that name. */
static int help_cmd(const struct opt_program *prog, const struct pass *p,
		    struct opt_parsed *out, struct err *e)
{
	const char *topic = p->i < p->argc ? p->argv[p->i] : NULL;

	if (!topic || topic[0] == '-')
		return OPT_HELP;
	out->cmd = opt_find_cmd(prog, topic);
	if (!out->cmd)
		return err_set(e, EINVAL, "No help topic for '%.80s'", topic);
	return OPT_HELP;
}

static int check_operands(const struct opt_cmd *c, int n, struct err *e)
{
	bool few = n < c->min_operands, many = c->max_operands >= 0 && n > c->max_operands;

	if (!few && !many)
		return 0;
	return err_set(e, EINVAL, "too %s operands (%d); usage: %s [OPTION...]%s%s",
		       few ? "few" : "many", n, c->name, c->operands ? " " : "",
		       c->operands ? c->operands : "");
}

/* An option that belongs in front of the command is the most common slip. */
static void hint_misplaced(const struct opt_program *prog, const struct pass *p, struct err *e)
{
	const char *arg = p->i > 0 ? p->argv[p->i - 1] : "";

	if (!str_has_prefix(e->msg, "unknown option") || !str_has_prefix(arg, "--"))
		return;
	if (find_long(prog->opts, arg + 2, strcspn(arg + 2, "=")))
		err_hint(e, "it stands before the command");
}

static int parse_cmd(const struct opt_program *prog, struct pass *p, const struct opt_cmd *c,
		     struct opt_parsed *out, struct err *e)
{
	int r;

	out->cmd = c;
	out->opts = xalloc(c->opts_size);
	p->opts = c->opts;
	p->block = out->opts;
	p->version_wanted = false;
	p->stop_after = c->flags & OPT_STOP_AT_OPERAND ? MAX(c->fixed_operands, 1) : -1;
	p->skip_dashes = c->fixed_operands > 0;
	r = run_pass(p);
	out->operands = p->operands;
	out->n_operands = p->n_operands;
	if (r == OPT_RUN && check_operands(c, p->n_operands, e) < 0)
		r = -1;
	if (r < 0) {
		hint_misplaced(prog, p, e);
		err_wrap(e, "%s", c->name);
		opt_parsed_fini(out);
	}
	return r;
}

/* The command's name is the one operand that the program's own pass takes; the rest is re-read with
 * the command's table. */
int opt_parse(const struct opt_program *prog, int argc, char **argv, void *global,
	      struct opt_parsed *out, struct err *e)
{
	struct pass p = {
		.argc = argc,
		.i = MIN(argc, 1),
		.argv = argv,
		.opts = prog->opts,
		.block = global,
		.version_wanted = true,
		.stop_after = prog->cmds ? 1 : -1,
		.e = e,
	};
	struct opt_parsed parsed = { 0 };
	const struct opt_cmd *c;
	const char *name;
	int r;

	r = run_pass(&p);
	if (!prog->cmds || r != OPT_RUN) {
		parsed.operands = p.operands;
		parsed.n_operands = p.n_operands;
		if (r < 0)
			opt_parsed_fini(&parsed);
		else
			*out = parsed;
		return r;
	}

	name = p.n_operands ? p.operands[0] : prog->command;
	p.i = MIN(argc, argc - p.n_operands + 1);
	free(p.operands);
	p.operands = NULL;
	p.n_operands = 0;
	if (!name)
		return err_set(e, EINVAL, "no command given; see %s --help", prog->name);
	c = opt_find_cmd(prog, name);
	if (c)
		r = parse_cmd(prog, &p, c, &parsed, e);
	else if (strcmp(name, "help") == 0)
		r = help_cmd(prog, &p, &parsed, e);
	else
		r = unknown_cmd(prog, &p, name, e);
	if (r >= 0)
		*out = parsed;
	return r;
}

void opt_parsed_fini(struct opt_parsed *p)
{
	const struct opt *opts = p->cmd && p->opts ? p->cmd->opts : NULL;

	for (const struct opt *o = opts; o && o->name; o++) {
		if (o->kind == OPT_LIST)
			opt_list_fini((struct opt_list *) ((char *) p->opts + o->offset));
	}
	free(p->opts);
	free(p->operands);
	*p = (struct opt_parsed){ 0 };
}
