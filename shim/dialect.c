#include "shim/dialect.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/util.h"
#include "shim/frame.h"
#include "shim/proto.h"

/* CAN ends a control sequence or string in every state of a terminal's parser; ESC c is RIS. */
const uint8_t dialect_reset[3] = { 0x18, 0x1b, 'c' };

static const struct dialect *const dialects[] = {
	&dialect_carrel, &dialect_tty,	     &dialect_k8s_v5,
	&dialect_k8s_v4, &dialect_terminado, &dialect_raw,
};

const struct dialect *dialect_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++)
		if (strcmp(dialects[i]->name, name) == 0)
			return dialects[i];
	return NULL;
}

void dialect_state_fini(struct dialect_state *s)
{
	json_doc_free_ptr(&s->doc);
	*s = (struct dialect_state){ 0 };
}

uint16_t dialect_close_code(const struct dialect *d, uint16_t code)
{
	if (d->codes || code < 4000)
		return code;
	return code == CLOSE_PROTOCOL ? CLOSE_MALFORMED : CLOSE_NORMAL;
}

const struct json *dialect_json(struct dialect_state *s, const uint8_t *p, size_t n,
				struct err *e)
{
	static const struct json_limits limits = { FRAME_MAX_MESSAGE, 4, 64 };

	json_doc_free_ptr(&s->doc);
	if (json_parse((const char *) p, n, &limits, &s->doc, e) < 0)
		return NULL;
	return json_root(s->doc);
}

/* Returns false when v is no number that a size can be. */
static bool take_side(const struct json *v, uint16_t *out)
{
	if (!v || v->type != JSON_INT || v->i < 1)
		return false;
	*out = (uint16_t) MIN(v->i, (int64_t) PROTO_MAX_SIZE);
	return true;
}

void dialect_take_size(const struct json *cols, const struct json *rows, struct dialect_in *in)
{
	if (take_side(cols, &in->cols) && take_side(rows, &in->rows))
		in->ask = DIALECT_RESIZE;
}
