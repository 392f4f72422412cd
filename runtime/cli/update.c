/* update: limits from a resources object, or one by one from flags. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/cli/cli.h"

#define U(n, m, arg, help)                                                                     \
	{                                                                                      \
		n, 0, OPT_STRING, offsetof(struct opts_update, m), arg, help                   \
	}
/* clang-format off */
const struct opt cli_update_opts[] = {
	{ "resources", 'r', OPT_STRING, offsetof(struct opts_update, resources), "FILE", "an OCI resources object, - reads stdin; the other options are ignored beside it" },
	U("memory", memory, "BYTES", "memory limit, like 64M; -1 is no limit"),
	U("memory-swap", memory_swap, "BYTES", "memory and swap together; -1 is no limit"),
	U("memory-reservation", memory_reservation, "BYTES", "memory that is left to the container under pressure"),
	U("kernel-memory", kernel_memory, "BYTES", "ignored: kernels count it with --memory"),
	U("kernel-memory-tcp", kernel_memory_tcp, "BYTES", "ignored, as --kernel-memory"),
	U("cpu-period", cpu_period, "US", "the period that --cpu-quota refers to, in microseconds"),
	U("cpu-quota", cpu_quota, "US", "CPU time in each period, in microseconds; -1 is no limit"),
	U("cpu-burst", cpu_burst, "US", "CPU time that may be saved for a burst, in microseconds"),
	U("cpu-share", cpu_share, "N", "weight against other groups, 2 to 262144"),
	U("cpu-idle", cpu_idle, "0|1", "1: run only when nobody else wants the CPU"),
	U("cpu-rt-period", cpu_rt_period, "US", "the period that --cpu-rt-runtime refers to (cgroup v1)"),
	U("cpu-rt-runtime", cpu_rt_runtime, "US", "time of realtime tasks in each period (cgroup v1)"),
	U("cpuset-cpus", cpuset_cpus, "LIST", "CPUs to run on, like 0-3,7"),
	U("cpuset-mems", cpuset_mems, "LIST", "memory nodes to allocate from"),
	U("pids-limit", pids_limit, "N", "number of processes and threads; -1 is no limit"),
	U("blkio-weight", blkio_weight, "N", "weight for block I/O, 10 to 1000"),
	U("l3-cache-schema", l3_cache_schema, "TEXT", "Intel RDT: the cache ways of the container's class"),
	U("mem-bw-schema", mem_bw_schema, "TEXT", "Intel RDT: the memory bandwidth of the container's class"),
	{ 0 },
};
/* clang-format on */

/* "-1", or an amount of bytes. */
static int parse_bytes(const char *s, const char *flag, int64_t *out, struct err *e)
{
	uint64_t v;

	if (strcmp(s, "-1") == 0) {
		*out = -1;
		return 0;
	}
	if (str_to_bytes(s, flag, &v, e) < 0)
		return -1;
	if (v > INT64_MAX)
		return err_set(e, ERANGE, "%s: %s is too large", flag, s);
	*out = (int64_t) v;
	return 0;
}

static int parse_signed(const char *s, const char *flag, int64_t *out, struct err *e)
{
	return str_to_i64(s, INT64_MIN + 1, INT64_MAX, flag, out, e);
}

static int parse_unsigned(const char *s, const char *flag, int64_t *out, struct err *e)
{
	return str_to_i64(s, 0, INT64_MAX, flag, out, e);
}

static int parse_weight(const char *s, const char *flag, int64_t *out, struct err *e)
{
	int64_t v;

	if (parse_unsigned(s, flag, &v, e) < 0)
		return -1;
	if (v != 0 && (v < 10 || v > 1000))
		return err_set(e, ERANGE, "%s: %s is not 10 to 1000", flag, s);
	*out = v;
	return 0;
}

static int parse_numbers(const struct opts_update *o, struct cgroup_resources *r, struct err *e)
{
	const struct {
		const char *value, *flag;
		int (*parse)(const char *s, const char *flag, int64_t *out, struct err *e);
		int64_t *out;
	} rows[] = {
		{ o->memory, "--memory", parse_bytes, &r->memory.limit },
		{ o->memory_swap, "--memory-swap", parse_bytes, &r->memory.swap },
		{ o->memory_reservation, "--memory-reservation", parse_bytes,
		  &r->memory.reservation },
		{ o->cpu_period, "--cpu-period", parse_unsigned, &r->cpu.period },
		{ o->cpu_quota, "--cpu-quota", parse_signed, &r->cpu.quota },
		{ o->cpu_burst, "--cpu-burst", parse_unsigned, &r->cpu.burst },
		{ o->cpu_share, "--cpu-share", parse_unsigned, &r->cpu.shares },
		{ o->cpu_idle, "--cpu-idle", parse_signed, &r->cpu.idle },
		{ o->cpu_rt_period, "--cpu-rt-period", parse_unsigned, &r->cpu.rt_period },
		{ o->cpu_rt_runtime, "--cpu-rt-runtime", parse_signed, &r->cpu.rt_runtime },
		{ o->pids_limit, "--pids-limit", parse_signed, &r->pids },
		{ o->blkio_weight, "--blkio-weight", parse_weight, &r->blkio.weight },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].value && *rows[i].value &&
		    rows[i].parse(rows[i].value, rows[i].flag, rows[i].out, e) < 0)
			return -1;
	return 0;
}

static int parse_set(const char *s, const char *flag, const char **out, struct err *e)
{
	if (!s)
		return 0;
	if (strspn(s, "0123456789,- ") != strlen(s))
		return err_set(e, EINVAL, "%s: \"%s\" is no list like 0-3,7", flag, s);
	*out = s;
	return 0;
}

static int parse_limits(const struct opts_update *o, struct cgroup_resources *r, struct err *e)
{
	int64_t ignored;

	if (o->kernel_memory || o->kernel_memory_tcp) {
		if (parse_bytes(o->kernel_memory ? o->kernel_memory : "0", "--kernel-memory",
				&ignored, e) < 0 ||
		    parse_bytes(o->kernel_memory_tcp ? o->kernel_memory_tcp : "0",
				"--kernel-memory-tcp", &ignored, e) < 0)
			return -1;
		cli_warn("--kernel-memory and --kernel-memory-tcp are ignored: kernels count "
			 "kernel memory with --memory");
	}
	if (parse_set(o->cpuset_cpus, "--cpuset-cpus", &r->cpu.cpus, e) < 0 ||
	    parse_set(o->cpuset_mems, "--cpuset-mems", &r->cpu.mems, e) < 0)
		return -1;
	return parse_numbers(o, r, e);
}

/* All options are strings, --resources the first. */
static void warn_ignored(const struct opts_update *o)
{
	char text[96];

	for (const struct opt *row = cli_update_opts + 1; row->name; row++)
		if (*(const char *const *) ((const char *) o + row->offset) &&
		    !strstr(row->name, "-schema")) {
			(void) snprintf(text, sizeof(text),
					"--%s is ignored beside --resources", row->name);
			cli_warn(text);
		}
}

int cli_update(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_update *o = opts;
	struct err e = ERR_NONE;
	struct update_args a = {
		.file = o->resources && *o->resources ? o->resources : NULL,
		.limits = CGROUP_RESOURCES_UNSET,
		.l3_cache_schema = o->l3_cache_schema,
		.mem_bw_schema = o->mem_bw_schema,
	};

	if (a.file)
		warn_ignored(o);
	else if (parse_limits(o, &a.limits, &e) < 0)
		return cli_fail(c, "update", &e, 1);
	if (container_update(&c->env, operands[0], &a, &e) < 0)
		return cli_fail(c, "update", &e, 1);
	return 0;
}
