/* config.json to structs: every bad one is refused with its sentence, a full one arrives field by field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "runtime/spec.h"

static const char bad_dir[] = "tests/bad/spec";

static void check_bad(int dir_fd, const char *name, const char *want)
{
	auto_buf struct buf text = BUF_LIMIT(1 << 20);
	auto_free char *file = xasprintf("%s.json", name);
	auto_spec struct spec *s = NULL;
	struct err e = ERR_NONE;

	assert_int_equal(fd_read_file(dir_fd, file, 1 << 20, &text, &e), 0);
	if (spec_parse(buf_str(&text), buf_len(&text), &s, &e) == 0)
		fail_msg("%s was accepted", name);
	/* "config.json" stands for what the file's reader puts in front. */
	if (strcmp(want, "config.json") != 0 && !strstr(e.msg, want))
		fail_msg("%s: wanted \"%s\", got \"%s\"", name, want, e.msg);
}

static void test_bad(void **state)
{
	auto_buf struct buf table = BUF_LIMIT(1 << 20);
	auto_close int dir_fd = open(bad_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err e = ERR_NONE;
	char *save;
	int n = 0;

	assert_true(dir_fd >= 0);
	assert_int_equal(fd_read_file(dir_fd, "expected.tsv", 1 << 20, &table, &e), 0);
	for (char *l = strtok_r((char *) buf_str(&table), "\n", &save); l;
	     l = strtok_r(NULL, "\n", &save)) {
		char *tab = strchr(l, '\t');

		assert_non_null(tab);
		*tab = '\0';
		check_bad(dir_fd, l, tab + 1);
		n++;
	}
	assert_true(n > 90);
}

static const char full[] =
	"{\"ociVersion\":\"1.2.0\",\"hostname\":\"h\",\"domainname\":\"d\",\"future\":[1],"
	"\"process\":{\"args\":[\"a\",\"b\"],\"env\":[\"A=1\"],\"cwd\":\"/w\",\"terminal\":true,"
	"\"consoleSize\":{\"height\":20,\"width\":30},\"user\":{\"uid\":5,\"gid\":6,\"umask\":18,"
	"\"additionalGids\":[7,8]},\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_NEW\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,\"hard\":20}],\"oomScoreAdj\":-5,"
	"\"noNewPrivileges\":true,\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":3},"
	"\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"nice\":5,"
	"\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\"]}},"
	"\"root\":{\"path\":\"r\",\"readonly\":true},"
	"\"mounts\":[{\"destination\":\"/t\",\"type\":\"tmpfs\",\"options\":[\"size=1m\",\"ro\"]}],"
	"\"hooks\":{\"poststop\":[{\"path\":\"/h\",\"args\":[\"h\",\"x\"],\"timeout\":3}]},"
	"\"annotations\":{\"k\":\"v\"},"
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"uts\"},{\"type\":\"user\"},"
	"{\"type\":\"time\"},{\"type\":\"network\",\"path\":\"/n\"},{\"type\":\"pid\",\"path\":\"\"}],"
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":2000,\"size\":11}],"
	"\"timeOffsets\":{\"boottime\":{\"secs\":-3,\"nanosecs\":4}},"
	"\"devices\":[{\"type\":\"c\",\"path\":\"/dev/x\",\"major\":10,\"minor\":229,"
	"\"fileMode\":8630}],\"rootfsPropagation\":\"rslave\",\"cgroupsPath\":\"/c\","
	"\"personality\":{\"domain\":\"LINUX32\"},\"maskedPaths\":[\"/m\"],"
	"\"resources\":{\"memory\":{\"limit\":100,\"swap\":0,\"swappiness\":0},"
	"\"cpu\":{\"shares\":0,\"quota\":-1,\"period\":1000,\"cpus\":\"0-1\"},\"pids\":{\"limit\":0},"
	"\"devices\":[{\"allow\":false},{\"allow\":true,\"type\":\"c\",\"major\":1,\"access\":\"rw\"}],"
	"\"network\":{},\"rdma\":null}}}";

static void test_process(void **state)
{
	auto_spec struct spec *s = NULL;
	struct err e = ERR_NONE;

	if (spec_parse(full, strlen(full), &s, &e) < 0)
		fail_msg("%s", e.msg);
	const struct process_spec *p = &s->process;
	assert_string_equal(p->args[1], "b");
	assert_null(p->args[2]);
	assert_string_equal(p->env[0], "A=1");
	assert_string_equal(p->cwd, "/w");
	assert_true(p->terminal && p->rows == 20 && p->cols == 30);
	assert_true(p->user.uid == 5 && p->user.gid == 6);
	assert_true(p->user.has_umask && p->user.umask == 022);
	assert_true(p->user.n_groups == 2 && p->user.groups[1] == 8);
	assert_true(p->caps.set && p->caps.bounding == 1 << 5 && p->caps.effective == 0);
	assert_true(p->n_rlimits == 1 && p->rlimits[0].lim.rlim_max == 20);
	assert_true(p->has_oom_score_adj && p->oom_score_adj == -5);
	assert_true(p->no_new_privileges);
	assert_true(p->has_ioprio && p->ioprio_class == 2 && p->ioprio_priority == 3);
	assert_true(p->scheduler.set && p->scheduler.policy == SCHED_BATCH);
	assert_true(p->scheduler.nice == 5 && p->scheduler.flags == 1);
	assert_true(p->has_personality && p->personality == 8);
	assert_int_equal(s->n_warnings, 1);
	assert_non_null(strstr(s->warnings[0], "CAP_NEW"));
}

static void test_linux(void **state)
{
	auto_spec struct spec *s = NULL;
	struct err e = ERR_NONE;

	assert_int_equal(spec_parse(full, strlen(full), &s, &e), 0);
	assert_true(s->root.readonly && s->root.propagation == (MS_SLAVE | MS_REC));
	assert_string_equal(s->root.masked[0], "/m");
	assert_int_equal(s->n_mounts, 1);
	assert_string_equal(s->mounts[0].data, "size=1m");
	assert_string_equal(s->hooks.kind[HOOK_POSTSTOP].v[0].args[1], "x");
	assert_int_equal(s->hooks.kind[HOOK_POSTSTOP].v[0].timeout_s, 3);
	assert_string_equal(json_str_or(s->annotations, "k", ""), "v");
	assert_string_equal(s->ns.ns[NS_NET].path, "/n");
	assert_true(s->ns.ns[NS_PID].listed && !s->ns.ns[NS_PID].path);
	assert_true(s->ns.boottime.set && s->ns.boottime.secs == -3 && !s->ns.monotonic.set);
	assert_true(s->idmap.uid.rows[0].outside == 1000 && s->idmap.gid.rows[0].count == 11);
	assert_true(s->n_devices == 1 && s->devices[0].mode == 0666);
	assert_string_equal(s->cgroup.path, "/c");

	const struct cgroup_resources *r = &s->cgroup.res;
	assert_true(r->memory.limit == 100 && r->memory.swap == CGROUP_UNSET);
	assert_true(r->memory.swappiness == 0 && r->cpu.shares == CGROUP_UNSET);
	assert_true(r->cpu.quota == -1 && r->cpu.period == 1000 && r->pids == 0);
	assert_string_equal(r->cpu.cpus, "0-1");
	assert_true(r->n_devices == 2 && r->devices[0].type == 'a' &&
		    r->devices[0].access == 7);
	assert_true(r->devices[1].major == 1 && r->devices[1].minor == -1);
	assert_int_equal(r->devices[1].access, 3);
}

static void test_part(void **state)
{
	static const char text[] = "{\"cwd\":\"/\",\"args\":[\"x\"]}";
	auto_spec struct spec *s = NULL;
	struct json_doc *doc = NULL;
	struct err e = ERR_NONE;

	assert_int_equal(json_parse(text, strlen(text), NULL, &doc, &e), 0);
	assert_int_equal(spec_from_process(doc, json_root(doc), &s, &e), 0);
	assert_string_equal(s->process.args[0], "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_linux),
		cmocka_unit_test(test_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
