/* A parser in the middle of a sequence, on its way to another program. */
#include "shim/vt.h"

#include <string.h>

#include "base/pack.h"

void vt_save(const struct vt *v, struct pack *p)
{
	const struct vt_params *a = &v->params;

	pack_tag(p, "pars");
	pack_u8(p, (uint8_t) v->state);
	pack_u32(p, v->collect);
	for (size_t i = 0; i < VT_PARAMS; i++) {
		pack_u32(p, (uint32_t) a->v[i]);
		pack_u32(p, (uint32_t) a->sub[i]);
		pack_u8(p, a->sub_from[i]);
		pack_u8(p, a->sub_to[i]);
	}
	pack_u8(p, a->n);
	pack_u8(p, a->n_sub);
	pack_bool(p, a->full);
	pack_bool(p, a->sub_full);
	pack_bool(p, a->in_sub);
	pack_bytes(p, v->partial, v->n_partial);
	pack_bool(p, v->too_long);
	pack_bytes(p, v->tail, v->n_tail);
}

void vt_restore(struct vt *v, struct unpack *u)
{
	struct vt_params *a = &v->params;
	const void *bytes;
	size_t n;

	unpack_tag(u, "pars");
	v->state = unpack_u8_to(u, VT_STRING, "a parser's state");
	v->collect = unpack_u32(u);
	for (size_t i = 0; i < VT_PARAMS; i++) {
		a->v[i] = (int32_t) unpack_u32(u);
		a->sub[i] = (int32_t) unpack_u32(u);
		a->sub_from[i] = unpack_u8_to(u, VT_PARAMS, "a parameter");
		a->sub_to[i] = unpack_u8_to(u, VT_PARAMS, "a parameter");
	}
	a->n = unpack_u8_to(u, VT_PARAMS, "parameters");
	a->n_sub = unpack_u8_to(u, VT_PARAMS, "parameters");
	a->full = unpack_bool(u);
	a->sub_full = unpack_bool(u);
	a->in_sub = unpack_bool(u);
	bytes = unpack_bytes(u, sizeof(v->partial) - 1, &n);
	if (bytes) {
		memcpy(v->partial, bytes, n);
		v->n_partial = (uint8_t) n;
	}
	v->too_long = unpack_bool(u);
	bytes = unpack_bytes(u, VT_TAIL, &n);
	if (bytes) {
		memcpy(v->tail, bytes, n);
		v->n_tail = n;
	}
}
