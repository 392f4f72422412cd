/* The text of config.json and rootfs.json. What is constant stands in tables. */
#include "images/bundle_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

enum { CPU_PERIOD_US = 100000, MAX_CPUS = 1024, INODE_BYTES = 4096, NETWORK_MAX = 1024 };

static const struct {
	const char *path, *type, *source;
	const char *options[8];
} system_mounts[] = {
	{ "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=64k" } },
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ "/sys/fs/cgroup",
	  "cgroup",
	  "cgroup",
	  { "nosuid", "noexec", "nodev", "relatime", "ro" } },
};

static const char *const namespaces[] = { "user", "mount", "pid",    "network",
					  "ipc",  "uts",   "cgroup", "time" };

static const char *const cap_sets[] = { "bounding", "effective", "inheritable", "permitted",
					"ambient" };

/* What tells of the host, or reaches it. */
static const char *const masked[] = {
	"/proc/acpi",	       "/proc/asound",	    "/proc/interrupts",
	"/proc/kcore",	       "/proc/keys",	    "/proc/key-users",
	"/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
	"/proc/timer_list",    "/proc/timer_stats", "/sys/devices/virtual/powercap",
	"/sys/firmware",
};

static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					"/proc/sysrq-trigger" };

static void write_strings(struct json_writer *w, const char *key, const char *const *v,
			  size_t n)
{
	jw_array(w, key);
	for (size_t i = 0; i < n; i++)
		jw_str(w, NULL, v[i]);
	jw_close(w);
}

static void write_strv(struct json_writer *w, const char *key, char *const *v)
{
	write_strings(w, key, (const char *const *) v, strv_len(v));
}

static void write_rlimit(struct json_writer *w, const char *type, uint64_t n)
{
	jw_object(w, NULL);
	jw_str(w, "type", type);
	jw_uint(w, "hard", n);
	jw_uint(w, "soft", n);
	jw_close(w);
}

static void write_process(struct json_writer *w, const struct bundle *b)
{
	jw_object(w, "process");
	jw_bool(w, "terminal", b->options->terminal);
	jw_object(w, "user");
	jw_uint(w, "uid", b->user.uid);
	jw_uint(w, "gid", b->user.gid);
	if (b->user.n_groups) {
		jw_array(w, "additionalGids");
		for (size_t i = 0; i < b->user.n_groups; i++)
			jw_uint(w, NULL, b->user.groups[i]);
		jw_close(w);
	}
	jw_close(w);
	write_strv(w, "args", b->args);
	write_strv(w, "env", b->env);
	jw_str(w, "cwd", b->cwd);
	jw_object(w, "capabilities");
	for (size_t i = 0; i < ARRAY_SIZE(cap_sets); i++)
		write_strings(w, cap_sets[i], NULL, 0);
	jw_close(w);
	jw_array(w, "rlimits");
	write_rlimit(w, "RLIMIT_NOFILE", b->options->tier.nofile);
	write_rlimit(w, "RLIMIT_CORE", 0);
	jw_close(w);
	jw_bool(w, "noNewPrivileges", true);
	jw_close(w);
}

static void write_mount(struct json_writer *w, const char *path, const char *type,
			const char *source, const char *const *options)
{
	jw_object(w, NULL);
	jw_str(w, "destination", path);
	jw_str(w, "type", type);
	jw_str(w, "source", source);
	jw_strings(w, "options", options);
	jw_close(w);
}

/* options: "mode=1777,noexec"; each becomes an element of its own. */
static void write_words(struct json_writer *w, const char *options)
{
	auto_free char *copy = xstrdup(options);
	char *save = NULL;

	for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save))
		jw_str(w, NULL, p);
}

static void write_place(struct json_writer *w, const struct bundle *b,
			const struct bundle_place *p)
{
	uint64_t size = p->size ? p->size : b->options->tier.disk / BUNDLE_SHARES * p->share;
	char text[64];

	jw_object(w, NULL);
	jw_str(w, "destination", p->path);
	jw_str(w, "type", "tmpfs");
	jw_str(w, "source", "tmpfs");
	jw_array(w, "options");
	jw_str(w, NULL, "nosuid");
	jw_str(w, NULL, "nodev");
	write_words(w, p->options);
	snprintf(text, sizeof(text), "size=%llu", (unsigned long long) size);
	jw_str(w, NULL, text);
	/* Empty files cost kernel memory as well. */
	snprintf(text, sizeof(text), "nr_inodes=%llu",
		 (unsigned long long) MAX(size / INODE_BYTES, 64U));
	jw_str(w, NULL, text);
	if (p->owned) {
		snprintf(text, sizeof(text), "uid=%u", b->user.uid);
		jw_str(w, NULL, text);
		snprintf(text, sizeof(text), "gid=%u", b->user.gid);
		jw_str(w, NULL, text);
	}
	jw_close(w);
	jw_close(w);
}

static void write_mounts(struct json_writer *w, const struct bundle *b)
{
	static const char *const init_options[] = { "bind", "ro", "nosuid", "nodev", NULL };

	jw_array(w, "mounts");
	for (size_t i = 0; i < ARRAY_SIZE(system_mounts); i++)
		write_mount(w, system_mounts[i].path, system_mounts[i].type,
			    system_mounts[i].source, system_mounts[i].options);
	for (size_t i = 0; i < b->n_places; i++)
		write_place(w, b, &b->places[i]);
	if (b->options->init)
		write_mount(w, BUNDLE_INIT_PATH, "bind", b->options->init, init_options);
	jw_close(w);
}

static void write_idmap(struct json_writer *w, const char *key, const struct bundle *b)
{
	jw_array(w, key);
	jw_object(w, NULL);
	jw_uint(w, "containerID", 0);
	jw_uint(w, "hostID", b->options->uid_base);
	jw_uint(w, "size", b->options->uid_count);
	jw_close(w);
	jw_close(w);
}

static void write_resources(struct json_writer *w, const struct tier *t)
{
	jw_object(w, "resources");
	jw_object(w, "memory");
	jw_uint(w, "limit", t->memory);
	jw_uint(w, "swap", t->memory + t->swap); /* OCI counts both together */
	jw_close(w);
	jw_object(w, "cpu");
	jw_uint(w, "quota", (uint64_t) (t->cpu * CPU_PERIOD_US));
	jw_uint(w, "period", CPU_PERIOD_US);
	jw_close(w);
	jw_object(w, "pids");
	jw_uint(w, "limit", t->pids);
	jw_close(w);
	jw_array(w, "devices");
	jw_object(w, NULL);
	jw_bool(w, "allow", false);
	jw_str(w, "access", "rwm");
	jw_close(w);
	jw_close(w);
	jw_close(w);
}

/* Each CPU has its own directory of throttling counters, which tell what the neighbours do. */
static void write_masked(struct json_writer *w)
{
	jw_array(w, "maskedPaths");
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
		jw_str(w, NULL, masked[i]);
	for (int cpu = 0; cpu < MAX_CPUS; cpu++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d", cpu);
		if (access(path, F_OK) < 0)
			break;
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/thermal_throttle",
			 cpu);
		jw_str(w, NULL, path);
	}
	jw_close(w);
}

static void write_linux(struct json_writer *w, const struct bundle *b)
{
	jw_object(w, "linux");
	jw_array(w, "namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		jw_object(w, NULL);
		jw_str(w, "type", namespaces[i]);
		jw_close(w);
	}
	jw_close(w);
	write_idmap(w, "uidMappings", b);
	write_idmap(w, "gidMappings", b);
	if (b->options->cgroup)
		jw_str(w, "cgroupsPath", b->options->cgroup);
	write_resources(w, &b->options->tier);
	jw_node(w, "seccomp", b->seccomp);
	write_masked(w);
	write_strings(w, "readonlyPaths", readonly, ARRAY_SIZE(readonly));
	jw_close(w);
}

/* docs/network.md: the Internet and nothing else, which is the annotation's default. */
static int write_network(struct json_writer *w, const struct bundle_options *o, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(NETWORK_MAX);
	auto_json_writer struct json_writer *n = json_writer_new(&text, false);

	jw_object(n, NULL);
	jw_str(n, "mode", "bridge");
	jw_array(n, "addresses");
	jw_str(n, NULL, o->address);
	jw_close(n);
	jw_array(n, "gateways");
	jw_str(n, NULL, o->gateway);
	jw_close(n);
	jw_bool(n, "masquerade", true);
	jw_close(n);
	if (json_writer_end(n, e) < 0)
		return err_wrap(e, "network");
	jw_str(w, "io.carrel.network", buf_str(&text));
	return 0;
}

int bundle_print_config(const struct bundle *b, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, true);

	jw_object(w, NULL);
	jw_str(w, "ociVersion", "1.2.0");
	jw_object(w, "root");
	jw_str(w, "path", "rootfs");
	jw_bool(w, "readonly", true);
	jw_close(w);
	write_process(w, b);
	jw_str(w, "hostname", b->options->hostname);
	write_mounts(w, b);
	write_linux(w, b);
	/* Ours only: an image's labels and annotations do not configure a runtime. */
	jw_object(w, "annotations");
	jw_str(w, "carrel.image", digest_text(&b->image->digest).s);
	if (b->options->id)
		jw_str(w, "carrel.id", b->options->id);
	if (b->options->tier.network != NET_MODE_NONE && write_network(w, b->options, e) < 0)
		return -1;
	jw_close(w);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return err_wrap(e, "config.json");
	return 0;
}

int bundle_print_rootfs(const struct bundle *b, char *const *layers, struct buf *out,
			struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, true);

	jw_object(w, NULL);
	jw_int(w, "version", 1);
	jw_str(w, "image", digest_text(&b->image->digest).s);
	jw_str(w, "format", "overlay");
	write_strv(w, "layers", layers);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return err_wrap(e, "rootfs.json");
	return 0;
}
