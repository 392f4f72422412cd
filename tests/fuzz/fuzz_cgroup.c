/*
 * Any text in the place of the kernel's: of a cgroup's files, of mountinfo-like lines and of the state file's lines. The
 * first byte chooses the reader; what comes out is rendered as events prints it and must be JSON.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_impl.h"
#include "runtime/cgroup_stats.h"
#include "runtime/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool good)
{
	if (!good)
		abort();
}

static void read_as(uint8_t kind, const char *text, struct cgroup_stats *s,
		    struct stats_interfaces *net)
{
	static const struct stats_key keys[] = {
		{ "usage_usec", offsetof(struct cgroup_stats, cpu.total), 1000 },
		{ "oom_kill", offsetof(struct cgroup_stats, pids.limit), 1 },
	};
	uint64_t v = 0;

	switch (kind % 9) {
	case 0:
		stats_parse_pairs(text, &s->memory.raw);
		break;
	case 1:
		stats_parse_keys(text, keys, ARRAY_SIZE(keys), s);
		break;
	case 2:
		stats_parse_numbers(text, &s->cpu.percpu);
		if (stats_parse_u64(text, &v) == 0)
			s->cpu.total = v;
		break;
	case 3:
		stats_parse_percpu(text, &s->cpu.percpu_user, &s->cpu.percpu_kernel);
		check(s->cpu.percpu_user.n == s->cpu.percpu_kernel.n);
		break;
	case 4:
		(void) stats_parse_set(text, &s->cpuset.cpus);
		break;
	case 5:
		stats_parse_blkio(text, &s->io[STATS_IO_BYTES]);
		break;
	case 6:
		stats_parse_io(text, &s->io[STATS_IO_BYTES], &s->io[STATS_IO_SERVICED]);
		break;
	case 7:
		stats_parse_psi(text, &s->memory.psi);
		break;
	default:
		stats_parse_netdev(text, net);
	}
}

/* The state file is ours, but lies where a user may write: its paths lead nowhere but below the cgroup root. */
static void load(const char *text)
{
	struct cgroup *cg = NULL;
	struct err e = ERR_NONE;

	if (cgroup_load(text, &cg, &e) < 0) {
		check(e.code && e.msg[0]);
		return;
	}
	for (size_t i = 0; i < cg->n; i++)
		check(strncmp(cg->h[i].path, CGROUP_ROOT "/", strlen(CGROUP_ROOT "/")) == 0 &&
		      !strstr(cg->h[i].path, "/../"));
	cgroup_free_ptr(&cg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_free char *text = n ? xalloc(n) : NULL;
	auto_stats struct cgroup_stats s = CGROUP_STATS_NONE;
	auto_buf struct buf out = BUF_LIMIT(16 << 20);
	const struct json_limits limits = { 16 << 20, 16, 1 << 20 };
	const struct rdt_stats rdt = RDT_STATS_NONE;
	struct stats_interfaces net = { 0 };
	struct json_doc *doc = NULL;
	struct err e = ERR_NONE;

	if (n == 0 || n > 65536)
		return 0;
	memcpy(text, data + 1, n - 1);
	read_as(data[0], text, &s, &net);
	check(events_render_stats("box", &s, &net, &rdt, &out, &e) == 0);
	/* The kernel's keys are words; others may come twice, which our own reader refuses. */
	if (data[0] % 9 != 0)
		check(json_parse(buf_str(&out), buf_len(&out), &limits, &doc, &e) == 0);
	json_doc_free(doc);
	free(net.v);
	load(text);
	return 0;
}
