#include "shim/exec_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/util.h"
#include "shim/proto.h"

enum { USER_BYTES = 128, PATH_BYTES = 4096 };

struct head {
	uint32_t n_args, n_env;
	uint16_t cols, rows;
	uint8_t terminal, has_cwd, has_user;
};

static size_t count(const char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

static int check_user(const char *user, struct err *e)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-";
	size_t n = strlen(user);

	if (n == 0 || n > USER_BYTES || strspn(user, allowed) != n || strchr("-.:", user[0]))
		return err_set(e, EINVAL, "user: \"%.64s\" is not USER[:GROUP]", user);
	return 0;
}

int exec_order_check(const struct exec_order *o, struct err *e)
{
	size_t n_args = count(o->args), n_env = count(o->env);

	if (n_args < 1 || n_args > EXEC_ORDER_ARGS || o->args[0][0] == '\0')
		return err_set(e, EINVAL,
			       "args: a program and its arguments belong there, %d at most",
			       EXEC_ORDER_ARGS);
	if (n_env > EXEC_ORDER_ENV)
		return err_set(e, EINVAL, "env: %zu variables; %d at most", n_env,
			       EXEC_ORDER_ENV);
	for (size_t i = 0; i < n_env; i++)
		if (o->env[i][0] == '=' || !strchr(o->env[i], '='))
			return err_set(e, EINVAL, "env[%zu]: \"%.60s\" is not NAME=VALUE", i,
				       o->env[i]);
	if (o->cwd && (o->cwd[0] != '/' || strlen(o->cwd) >= PATH_BYTES))
		return err_set(e, EINVAL, "cwd: \"%.200s\" is not an absolute path", o->cwd);
	if (o->terminal && (o->cols < 1 || o->cols > PROTO_MAX_SIZE || o->rows < 1 ||
			    o->rows > PROTO_MAX_SIZE))
		return err_set(e, EINVAL, "cols %u, rows %u: both must be 1 to %d", o->cols,
			       o->rows, PROTO_MAX_SIZE);
	return o->user ? check_user(o->user, e) : 0;
}

static int pack_string(const char *s, struct buf *out, struct err *e)
{
	return buf_append(out, s, strlen(s) + 1, e);
}

static int pack_strings(const char *const *v, struct buf *out, struct err *e)
{
	for (; v && *v; v++)
		if (pack_string(*v, out, e) < 0)
			return -1;
	return 0;
}

int exec_order_pack(const struct exec_order *o, struct buf *out, struct err *e)
{
	const struct head head = { .n_args = (uint32_t) count(o->args),
				   .n_env = (uint32_t) count(o->env),
				   .cols = o->cols,
				   .rows = o->rows,
				   .terminal = o->terminal,
				   .has_cwd = o->cwd != NULL,
				   .has_user = o->user != NULL };

	if (exec_order_check(o, e) < 0)
		return -1;
	if (buf_append(out, &head, sizeof(head), e) < 0 || pack_strings(o->args, out, e) < 0 ||
	    pack_strings(o->env, out, e) < 0 || (o->cwd && pack_string(o->cwd, out, e) < 0) ||
	    (o->user && pack_string(o->user, out, e) < 0) || buf_len(out) > EXEC_ORDER_BYTES)
		return err_set(e, E2BIG, "args, env: more than %d bytes together",
			       EXEC_ORDER_BYTES);
	return 0;
}

/* What is left to read. */
struct input {
	const char *p;
	size_t n;
};

/* NULL when no string ends there. */
static const char *take(struct input *in)
{
	const char *s = in->p, *end = in->n ? memchr(s, '\0', in->n) : NULL;

	if (!end)
		return NULL;
	in->n -= (size_t) (end + 1 - s);
	in->p = end + 1;
	return s;
}

static bool take_all(struct input *in, const char **out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = take(in);
		if (!out[i])
			return false;
	}
	return true;
}

static bool take_body(struct input *in, const struct head *h, struct exec_order *o)
{
	if (!take_all(in, o->args, h->n_args) || !take_all(in, o->env, h->n_env) ||
	    (h->has_cwd && !(o->cwd = take(in))) || (h->has_user && !(o->user = take(in))))
		return false;
	return in->n == 0;
}

int exec_order_unpack(const void *p, size_t n, struct exec_order *out, struct err *e)
{
	struct input in = { .p = p, .n = n };
	struct exec_order o = { 0 };
	struct head h;

	if (n < sizeof(h) || n > EXEC_ORDER_BYTES)
		return err_set(e, EPROTO, "an order of %zu bytes", n);
	memcpy(&h, p, sizeof(h));
	in.p += sizeof(h);
	in.n -= sizeof(h);
	if (h.n_args > EXEC_ORDER_ARGS || h.n_env > EXEC_ORDER_ENV)
		return err_set(e, EPROTO, "an order of %u args and %u env", h.n_args, h.n_env);
	o.args = xalloc((h.n_args + 1) * sizeof(*o.args));
	o.env = xalloc((h.n_env + 1) * sizeof(*o.env));
	o.terminal = h.terminal;
	o.cols = h.cols;
	o.rows = h.rows;
	if (!take_body(&in, &h, &o)) {
		exec_order_fini(&o);
		return err_set(e, EPROTO, "an order whose strings do not fit its head");
	}
	if (exec_order_check(&o, e) < 0) {
		exec_order_fini(&o);
		return -1;
	}
	*out = o;
	return 0;
}

void exec_order_fini(struct exec_order *o)
{
	free(o->args);
	free(o->env);
	*o = (struct exec_order){ 0 };
}
