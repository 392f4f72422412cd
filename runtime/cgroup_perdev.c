/*
 * Limits that name a device: block I/O, RDMA, and the network's classes and priorities.
 *
 * Each row is a write of its own: the kernel takes one device at a time. Weights are the business of an I/O scheduler
 * (BFQ) or, on v2, of the cost model; where none is there its files are missing, which is said.
 */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

enum { ROWS_MAX = 65536 };

static bool given(int64_t v)
{
	return v != CGROUP_UNSET && v != 0;
}

bool cgroup_blkio_given(const struct cgroup_blkio *b)
{
	if (given(b->weight) || given(b->leaf_weight) || b->n_weights)
		return true;
	for (int k = 0; k < THROTTLE_KINDS; k++)
		if (b->throttle[k].n)
			return true;
	return false;
}

static int write_row(const struct cgroup_hier *h, const char *field, const char *file,
		     int64_t major, int64_t minor, const char *value, struct err *e)
{
	char text[96];

	snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %s", major, minor, value);
	return cgroup_write(h, field, file, text, e);
}

static int write_weight_row(const struct cgroup_hier *h, const char *field, const char *file,
			    const struct cgroup_weight_device *d, int64_t weight, struct err *e)
{
	char value[24];

	snprintf(value, sizeof(value), "%" PRId64, weight);
	return write_row(h, field, file, d->major, d->minor, value, e);
}

static const char *const throttle_fields[THROTTLE_KINDS] = {
	[THROTTLE_READ_BPS] = "blockIO.throttleReadBpsDevice",
	[THROTTLE_WRITE_BPS] = "blockIO.throttleWriteBpsDevice",
	[THROTTLE_READ_IOPS] = "blockIO.throttleReadIOPSDevice",
	[THROTTLE_WRITE_IOPS] = "blockIO.throttleWriteIOPSDevice",
};

static int no_weights(const struct cgroup_hier *h, const char *field, const char *remedy,
		      struct err *e)
{
	return err_set(e, ENOTSUP,
		       "linux.resources.blockIO.%s: no I/O scheduler with weights is in use "
		       "(%s has no file for them); %s",
		       field, h->path, remedy);
}

/* BFQ forgets the weights of single devices when the group gets another one: they are put back. */
static int write_group_weight(const struct cgroup_hier *h, const char *file, const char *rows,
			      int64_t weight, struct err *e)
{
	auto_buf struct buf kept = BUF_LIMIT(ROWS_MAX);
	int dir = cgroup_dir(h, e);
	char *save = NULL;

	if (dir < 0 || fd_read_file(dir, rows, ROWS_MAX - 1, &kept, e) < 0 ||
	    cgroup_write_int(h, "blockIO.weight", file, weight, e) < 0)
		return -1;
	auto_free char *text = buf_take_str(&kept);
	for (char *row = strtok_r(text, "\n", &save); row; row = strtok_r(NULL, "\n", &save)) {
		/* "default 100", or the same as a number alone on old kernels. */
		if (!strchr(row, ':'))
			continue;
		if (cgroup_write(h, "blockIO.weightDevice", rows, row, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- v1 ---- */

static int set_leaf_weights(const struct cgroup_hier *h, const struct cgroup_blkio *b,
			    struct err *e)
{
	if (given(b->leaf_weight) &&
	    cgroup_write_int(h, "blockIO.leafWeight", "blkio.leaf_weight", b->leaf_weight, e) <
		    0)
		return err_hint(e, "leaf weights were CFQ's, which is gone since Linux 5.0");
	for (size_t i = 0; i < b->n_weights; i++)
		if (given(b->weights[i].leaf_weight) &&
		    write_weight_row(h, "blockIO.weightDevice", "blkio.leaf_weight_device",
				     &b->weights[i], b->weights[i].leaf_weight, e) < 0)
			return err_hint(e, "leaf weights were CFQ's, which is gone since Linux "
					   "5.0");
	return 0;
}

static int set_weights(const struct cgroup_hier *h, const struct cgroup_blkio *b, struct err *e)
{
	/* BFQ's files appear when the first device is scheduled by it; blkio.weight was CFQ's. */
	const bool cfq = cgroup_has_file(h, "blkio.weight");
	const char *all = cfq ? "blkio.weight" : "blkio.bfq.weight";
	const char *one = cfq ? "blkio.weight_device" : "blkio.bfq.weight_device";

	if (!given(b->weight) && !b->n_weights)
		return 0;
	if (!cfq && !cgroup_has_file(h, all))
		return no_weights(h, given(b->weight) ? "weight" : "weightDevice",
				  "set a device's queue/scheduler to bfq", e);
	if (given(b->weight) && !cgroup_has_file(h, one) &&
	    cgroup_write_int(h, "blockIO.weight", all, b->weight, e) < 0)
		return -1;
	if (given(b->weight) && cgroup_has_file(h, one) &&
	    write_group_weight(h, all, one, b->weight, e) < 0)
		return -1;
	for (size_t i = 0; i < b->n_weights; i++)
		if (given(b->weights[i].weight) &&
		    write_weight_row(h, "blockIO.weightDevice", one, &b->weights[i],
				     b->weights[i].weight, e) < 0)
			return -1;
	return 0;
}

int cgroup_v1_set_blkio(const struct cgroup *cg, const struct cgroup_blkio *b, struct err *e)
{
	static const char *const files[THROTTLE_KINDS] = {
		[THROTTLE_READ_BPS] = "blkio.throttle.read_bps_device",
		[THROTTLE_WRITE_BPS] = "blkio.throttle.write_bps_device",
		[THROTTLE_READ_IOPS] = "blkio.throttle.read_iops_device",
		[THROTTLE_WRITE_IOPS] = "blkio.throttle.write_iops_device",
	};
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_BLKIO);

	if (!h || !cgroup_blkio_given(b))
		return 0;
	if (set_weights(h, b, e) < 0 || set_leaf_weights(h, b, e) < 0)
		return -1;
	for (int k = 0; k < THROTTLE_KINDS; k++)
		for (size_t i = 0; i < b->throttle[k].n; i++) {
			const struct cgroup_throttle *t = &b->throttle[k].v[i];
			char rate[24];

			snprintf(rate, sizeof(rate), "%" PRIu64, t->rate);
			if (write_row(h, throttle_fields[k], files[k], t->major, t->minor, rate,
				      e) < 0)
				return -1;
		}
	return 0;
}

/* ---- v2 ---- */

uint64_t cgroup_v2_io_weight(uint64_t weight)
{
	return 1 + (MIN(MAX(weight, 10u), 1000u) - 10) * 9999 / 990;
}

static int set_io_weights(const struct cgroup_hier *h, const struct cgroup_blkio *b,
			  struct err *e)
{
	const bool bfq = cgroup_has_file(h, "io.bfq.weight");
	const char *file = bfq ? "io.bfq.weight" : "io.weight";

	if (!given(b->weight) && !b->n_weights)
		return 0;
	if (!bfq && !cgroup_has_file(h, file))
		return no_weights(h, given(b->weight) ? "weight" : "weightDevice",
				  "set a device's queue/scheduler to bfq, or build the kernel "
				  "with CONFIG_BLK_CGROUP_IOCOST",
				  e);
	if (given(b->weight)) {
		int64_t w =
			bfq ? b->weight : (int64_t) cgroup_v2_io_weight((uint64_t) b->weight);

		if (write_group_weight(h, file, file, w, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < b->n_weights; i++) {
		const int64_t given_weight = b->weights[i].weight;
		int64_t w = bfq ? given_weight
				: (int64_t) cgroup_v2_io_weight((uint64_t) given_weight);

		if (given(given_weight) &&
		    write_weight_row(h, "blockIO.weightDevice", file, &b->weights[i], w, e) < 0)
			return -1;
	}
	return 0;
}

int cgroup_v2_set_io(const struct cgroup_hier *h, const struct cgroup_blkio *b, struct err *e)
{
	static const char *const keys[THROTTLE_KINDS] = {
		[THROTTLE_READ_BPS] = "rbps",
		[THROTTLE_WRITE_BPS] = "wbps",
		[THROTTLE_READ_IOPS] = "riops",
		[THROTTLE_WRITE_IOPS] = "wiops",
	};

	for (size_t i = 0; i < b->n_weights; i++)
		if (given(b->weights[i].leaf_weight))
			return err_set(e, ENOTSUP,
				       "linux.resources.blockIO.weightDevice: cgroup v2 has no "
				       "leafWeight");
	if (set_io_weights(h, b, e) < 0)
		return -1;
	for (int k = 0; k < THROTTLE_KINDS; k++)
		for (size_t i = 0; i < b->throttle[k].n; i++) {
			const struct cgroup_throttle *t = &b->throttle[k].v[i];
			char rate[40];

			if (t->rate)
				snprintf(rate, sizeof(rate), "%s=%" PRIu64, keys[k], t->rate);
			else
				snprintf(rate, sizeof(rate), "%s=max", keys[k]);
			if (write_row(h, throttle_fields[k], "io.max", t->major, t->minor, rate,
				      e) < 0)
				return -1;
		}
	return 0;
}

/* ---- RDMA and network ---- */

int cgroup_set_rdma(const struct cgroup *cg, const struct cgroup_resources *r, struct err *e)
{
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_RDMA);

	for (size_t i = 0; h && i < r->n_rdma; i++) {
		const struct cgroup_rdma *d = &r->rdma[i];
		auto_free char *handles =
			d->handles == CGROUP_UNSET
				? xstrdup("")
				: xasprintf(" hca_handle=%" PRId64, d->handles);
		auto_free char *objects =
			d->objects == CGROUP_UNSET
				? xstrdup("")
				: xasprintf(" hca_object=%" PRId64, d->objects);
		auto_free char *text = xasprintf("%s%s%s", d->device, handles, objects);

		if (cgroup_write(h, "rdma", "rdma.max", text, e) < 0)
			return -1;
	}
	return 0;
}

int cgroup_v1_set_network(const struct cgroup *cg, const struct cgroup_network *n,
			  struct err *e)
{
	const struct cgroup_hier *cls = cgroup_hier_of(cg, CTRL_NET_CLS);
	const struct cgroup_hier *prio = cgroup_hier_of(cg, CTRL_NET_PRIO);

	if (cls && given(n->class_id) &&
	    cgroup_write_int(cls, "network.classID", "net_cls.classid", n->class_id, e) < 0)
		return -1;
	for (size_t i = 0; prio && i < n->n_priorities; i++) {
		auto_free char *text = xasprintf("%s %" PRIu32, n->priorities[i].interface,
						 n->priorities[i].priority);

		if (cgroup_write(prio, "network.priorities", "net_prio.ifpriomap", text, e) < 0)
			return -1;
	}
	return 0;
}
