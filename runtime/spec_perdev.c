/* config.json: the limits of linux.resources that name a device: blockIO, rdma, network. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "runtime/cgroup.h"
#include "runtime/spec_parts.h"

/* ---- blockIO ---- */

static int decode_weight(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	uint32_t w;

	if (json_decode_u32(v, at, &w, e) < 0)
		return -1;
	if (w == 0)
		return 0;
	if (w < 10 || w > 1000)
		return json_err(at, e, "%u is outside 10..1000", w);
	*(int64_t *) out = w;
	return 0;
}

/* A block device, not a wildcard. */
static int decode_number(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	uint32_t n;

	if (json_decode_u32(v, at, &n, e) < 0)
		return -1;
	*(int64_t *) out = n;
	return 0;
}

#define ROW(n, fn, s, m, flags)                                                                \
	{                                                                                      \
		n, fn, offsetof(struct s, m), flags                                            \
	}

static int decode_weight_device(const struct json *v, const struct json_at *at, void *out,
				struct err *e)
{
	static const struct json_field fields[] = {
		ROW("major", decode_number, cgroup_weight_device, major, JSON_REQUIRED),
		ROW("minor", decode_number, cgroup_weight_device, minor, JSON_REQUIRED),
		ROW("weight", decode_weight, cgroup_weight_device, weight, SPEC_OPTIONAL),
		ROW("leafWeight", decode_weight, cgroup_weight_device, leaf_weight,
		    SPEC_OPTIONAL),
	};
	struct cgroup_weight_device *d = out;

	d->weight = d->leaf_weight = CGROUP_UNSET;
	return json_decode_object(v, at, SPEC_FIELDS(fields), d, e);
}

static int decode_throttle(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	static const struct json_field fields[] = {
		ROW("major", decode_number, cgroup_throttle, major, JSON_REQUIRED),
		ROW("minor", decode_number, cgroup_throttle, minor, JSON_REQUIRED),
		ROW("rate", json_decode_u64, cgroup_throttle, rate, JSON_REQUIRED),
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_weight_devices(const struct json *v, const struct json_at *at, void *out,
				 struct err *e)
{
	struct cgroup_blkio *b = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct cgroup_weight_device), decode_weight_device, &l, e) <
	    0)
		return -1;
	b->weights = l.items;
	b->n_weights = l.n;
	return 0;
}

static int decode_throttles(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
	struct cgroup_throttles *t = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct cgroup_throttle), decode_throttle, &l, e) < 0)
		return -1;
	t->v = l.items;
	t->n = l.n;
	return 0;
}

int spec_decode_blkio(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	/* clang-format off */
	static const struct json_field fields[] = {
		ROW("weight", decode_weight, cgroup_blkio, weight, SPEC_OPTIONAL),
		ROW("leafWeight", decode_weight, cgroup_blkio, leaf_weight, SPEC_OPTIONAL),
		{ "weightDevice", decode_weight_devices, 0, SPEC_OPTIONAL },
		ROW("throttleReadBpsDevice", decode_throttles, cgroup_blkio, throttle[THROTTLE_READ_BPS], SPEC_OPTIONAL),
		ROW("throttleWriteBpsDevice", decode_throttles, cgroup_blkio, throttle[THROTTLE_WRITE_BPS], SPEC_OPTIONAL),
		ROW("throttleReadIOPSDevice", decode_throttles, cgroup_blkio, throttle[THROTTLE_READ_IOPS], SPEC_OPTIONAL),
		ROW("throttleWriteIOPSDevice", decode_throttles, cgroup_blkio, throttle[THROTTLE_WRITE_IOPS], SPEC_OPTIONAL),
	};
	/* clang-format on */

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

/* ---- rdma ---- */

/* It becomes the first word of a line. */
static int check_word(const char *s, const struct json_at *at, const char *what, struct err *e)
{
	if (!s[0] || strpbrk(s, " \t\n") || strlen(s) > 200)
		return json_err(at, e, "\"%.40s\" is no name of %s", s, what);
	return 0;
}

static int decode_rdma_device(const struct json *v, const struct json_at *at,
			      struct cgroup_rdma *d, struct err *e)
{
	static const struct json_field fields[] = {
		ROW("hcaHandles", decode_number, cgroup_rdma, handles, SPEC_OPTIONAL),
		ROW("hcaObjects", decode_number, cgroup_rdma, objects, SPEC_OPTIONAL),
	};

	if (check_word(v->key, at, "an RDMA device", e) < 0 ||
	    json_decode_object(v, at, SPEC_FIELDS(fields), d, e) < 0)
		return -1;
	if (d->handles == CGROUP_UNSET && d->objects == CGROUP_UNSET)
		return json_err(at, e, "one of hcaHandles and hcaObjects is required");
	return 0;
}

int spec_decode_rdma(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct cgroup_resources *r = out;

	if (v->type != JSON_OBJECT)
		return json_err(at, e, "must be an object with a member for each device");
	struct cgroup_rdma *list = xalloc((v->count + 1) * sizeof(*list));
	size_t n = 0;

	spec_keep(at, list);
	json_each (m, v) {
		const struct json_at here = { .up = at, .name = m->key };

		list[n] = (struct cgroup_rdma){ .device = m->key,
						.handles = CGROUP_UNSET,
						.objects = CGROUP_UNSET };
		if (decode_rdma_device(m, &here, &list[n++], e) < 0)
			return -1;
	}
	r->rdma = list;
	r->n_rdma = n;
	return 0;
}

/* ---- network ---- */

static int decode_interface(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0 ||
	    check_word(s, at, "a network interface", e) < 0)
		return -1;
	*(const char **) out = s;
	return 0;
}

static int decode_priority(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	static const struct json_field fields[] = {
		ROW("name", decode_interface, cgroup_priority, interface, JSON_REQUIRED),
		ROW("priority", json_decode_u32, cgroup_priority, priority, JSON_REQUIRED),
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_priorities(const struct json *v, const struct json_at *at, void *out,
			     struct err *e)
{
	struct cgroup_network *net = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct cgroup_priority), decode_priority, &l, e) < 0)
		return -1;
	net->priorities = l.items;
	net->n_priorities = l.n;
	return 0;
}

int spec_decode_network(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	static const struct json_field fields[] = {
		ROW("classID", decode_number, cgroup_network, class_id, SPEC_OPTIONAL),
		{ "priorities", decode_priorities, 0, SPEC_OPTIONAL },
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}
