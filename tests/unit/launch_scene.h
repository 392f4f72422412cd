/*
 * A stage for the tests of sessiond/launch.h: a run directory of their own, a loop, and two shell scripts
 * that play carrel-image and carrel-shim. How they behave is the image's name:
 *
 *   ok        the sandbox runs until its player is killed        slow-image   carrel-image does not end
 *   late      the same, once there is a file "go"
 *   die       the shim ends before its line                      missing      carrel-image: not in the store
 *   refuse    the shim says why not                              bad          carrel-image: another error
 *   garbage   the shim's line is no JSON                         half         carrel-image writes no JSON
 *   hang      no line at all                                     killed       carrel-image dies of a signal
 *   orphan    the shim dies, its child keeps the pipe
 *   nosweep   like ok, but the sweep fails                       busysweep    the sweep finds it busy once
 */
#ifndef CARREL_TESTS_UNIT_LAUNCH_SCENE_H
#define CARREL_TESTS_UNIT_LAUNCH_SCENE_H

#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/str.h"
#include "sessiond/launch.h"

struct scene {
	struct scratch dir;
	char *run, *store, *tiers, *image, *shim, *runtime, *seccomp;
	struct launch_config config;
	struct loop *loop;
	struct launch *launch;
	int fds;
};

static const char fake_image[] =
	"#!/bin/sh\n"
	"W=%s; echo \"$*\" >> $W/image.log\n"
	"for a; do image=$dir; dir=$a; done\n"
	"case $image in\n"
	"missing) echo '{\"level\":\"error\",\"msg\":\"carrel-image bundle: not in the store\"}' >&2; exit 3 ;;\n"
	"bad) echo noise >&2; echo 'carrel-image: user 7: no such user' >&2; exit 1 ;;\n"
	"half) echo '{' > $dir/config.json; exit 0 ;;\n"
	"killed) kill -9 $$ ;;\n"
	"slow-image) exec sleep 1000 ;;\n"
	"esac\n"
	"[ $image != late ] || until [ -e $W/go ]; do sleep 0.01; done\n"
	"cat > $dir/config.json << X\n"
	"{\"process\":{\"args\":[\"/carrel-init\",\"--\",\"$image\"],\"env\":[\"A=image\",\"PATH=/bin\"],\"cwd\":\"/\","
	"\"consoleSize\":{\"height\":1,\"width\":1}},\"hostname\":\"sandbox\",\"annotations\":{\"play\":\"$image\"},"
	"\"linux\":{\"cgroupsPath\":\"/\",\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}],"
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]}}\n"
	"X\n"
	"echo '{\"version\":1,\"format\":\"overlay\",\"layers\":[\"/layers/1\",\"/layers/2\"]}' > $dir/rootfs.json\n";

static const char fake_shim[] =
	"#!/bin/sh\n"
	"W=%s; D=$2; echo \"$*\" >> $W/shim.log; echo $$ >> $W/pids\n"
	"play=$(sed -n 's/.*\"play\":\"\\([a-z-]*\\)\".*/\\1/p' $D/bundle/config.json)\n"
	"exec 9> $D/lock\n"
	"if [ \"$3\" = --sweep ]; then\n"
	"	flock -n 9 || exit 3\n"
	"	[ $play != nosweep ] || { echo 'it sticks' >&2; exit 1; }\n"
	"	[ $play != busysweep ] || [ -e $W/was-busy ] || { : > $W/was-busy; exit 3; }\n"
	"	rm -rf $D/bundle; exit 0\n"
	"fi\n"
	"flock -n 9 || { echo '{\"ok\":false,\"error\":\"locked\"}' >&3; exit 1; }\n"
	"case $play in\n"
	"die) exit 7 ;;\n"
	"refuse) echo '{\"ok\":false,\"error\":\"no such command\"}' >&3; rm -rf $D/bundle; exit 1 ;;\n"
	"garbage) echo what >&3; exit 0 ;;\n"
	"hang) exec sleep 1000 ;;\n"
	"orphan) sleep 1000 9>&- & echo $! >> $W/pids; exit 5 ;;\n"
	"esac\n"
	"printf '{\"ok\":true,' >&3; sleep 0.01; echo '\"pid\":1}' >&3\n"
	"exec sleep 1000 3>&-\n";

static inline void put_script(struct scene *s, const char *name, const char *text)
{
	auto_buf struct buf out = BUF_LIMIT(65536);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	assert_ok(buf_printf(&out, &e, text, s->dir.path));
#pragma GCC diagnostic pop
	put_file(s->dir.fd, name, buf_str(&out));
	assert_int_equal(fchmodat(s->dir.fd, name, 0755, 0), 0);
}

static inline void scene_launch(struct scene *s)
{
	s->config = (struct launch_config){ .run_dir = s->run,
					    .store = s->store,
					    .tiers = s->tiers,
					    .image = s->image,
					    .shim = s->shim,
					    .runtime = s->runtime,
					    .seccomp = s->seccomp,
					    .init = s->runtime,
					    .cgroup = "/carrel-unit",
					    .uid_base = 500000,
					    .uid_count = 1000,
					    .uid_slots = 3,
					    .ready_ms = 60000 };
	assert_ok(loop_new(&s->loop, &e));
	assert_ok(launch_new(s->loop, &s->config, &s->launch, &e));
}

static inline int scene_open(void **state)
{
	struct scene *s = xalloc(sizeof(*s));

	s->fds = count_fds();
	s->dir = scratch_open();
	s->run = xasprintf("%s/run", s->dir.path);
	s->store = xasprintf("%s/store", s->dir.path);
	s->tiers = xasprintf("%s/tiers.yaml", s->dir.path);
	s->seccomp = xasprintf("%s/seccomp.json", s->dir.path);
	s->image = xasprintf("%s/carrel-image", s->dir.path);
	s->shim = xasprintf("%s/carrel-shim", s->dir.path);
	s->runtime = xasprintf("%s/carrel-runtime", s->dir.path);
	assert_int_equal(mkdir(s->store, 0700), 0);
	put_script(s, "store/index.json", "{}");
	put_script(s, "tiers.yaml", "version: 1\n");
	put_script(s, "seccomp.json", "{}");
	put_script(s, "carrel-image", fake_image);
	put_script(s, "carrel-shim", fake_shim);
	put_script(s, "carrel-runtime", "#!/bin/sh\n");
	scene_launch(s);
	*state = s;
	return 0;
}

/* Every player that is still on stage. Their pids are our children's or grandchildren's; a stale one is harmless only
 * because nothing else in this test makes so many processes that it could be another's. */
static inline void scene_kill(struct scene *s)
{
	auto_buf struct buf text = BUF_LIMIT(65536);
	struct err ignored;
	char *save = NULL;

	if (fd_read_file(s->dir.fd, "pids", 65536, &text, &ignored) < 0)
		return;
	for (char *p = strtok_r((char *) buf_str(&text), "\n", &save); p;
	     p = strtok_r(NULL, "\n", &save))
		(void) kill((pid_t) atoi(p), SIGKILL);
	(void) unlinkat(s->dir.fd, "pids", 0);
}

static inline int scene_close(void **state)
{
	struct scene *s = *state;

	launch_free(s->launch);
	loop_free(s->loop);
	scene_kill(s);
	while (waitpid(-1, NULL, 0) > 0)
		;
	scratch_close(&s->dir);
	assert_int_equal(count_fds(), s->fds);
	char *strings[] = { s->run,   s->store, s->tiers,  s->seccomp,
			    s->image, s->shim,	s->runtime };
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		free(strings[i]);
	free(s);
	return 0;
}

/* A sandbox's directory without a start. */
static inline int make_sandbox(struct scene *s, const char *id)
{
	auto_free char *path = xasprintf("%s/sandboxes/%s", s->run, id);
	int fd;

	assert_int_equal(mkdir(path, 0700), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* What a callback said. */
struct heard {
	int calls;
	struct err err; /* code 0: success */
	bool had_exit;
	struct launch_exit exit;
};

static inline void hear(void *arg, const struct err *err)
{
	struct heard *h = arg;

	h->calls++;
	h->err = err ? *err : ERR_NONE;
}

static inline void hear_exit(void *arg, const struct launch_exit *exit, const struct err *err)
{
	struct heard *h = arg;

	hear(h, err);
	h->had_exit = exit != NULL;
	if (exit)
		h->exit = *exit;
}

static inline void turn_until(struct scene *s, const int *calls, int wanted)
{
	uint64_t end = clock_mono_ms() + 60000;

	while (*calls < wanted) {
		assert_ok(loop_turn(s->loop, 100, &e));
		assert_true(clock_mono_ms() < end);
	}
}

static inline void turn_for(struct scene *s, uint64_t ms)
{
	for (uint64_t end = clock_mono_ms() + ms; clock_mono_ms() < end;)
		assert_ok(loop_turn(s->loop, 5, &e));
}

static inline struct heard start_one(struct scene *s, const struct launch_spec *spec)
{
	struct heard h = { 0 };

	assert_ok(launch_start(s->launch, spec, hear, &h, &e));
	assert_int_equal(h.calls, 0);
	turn_until(s, &h.calls, 1);
	return h;
}

static inline struct heard start_image(struct scene *s, const char *id, const char *image)
{
	return start_one(s, &(struct launch_spec){ .id = id, .image = image, .tier = "free" });
}

static inline struct heard collect_one(struct scene *s, const char *id)
{
	struct heard h = { 0 };

	assert_ok(launch_collect(s->launch, id, hear_exit, &h, &e));
	assert_int_equal(h.calls, 0);
	turn_until(s, &h.calls, 1);
	return h;
}

/* The names in run/DIR, sorted as they come, but "." and "..". */
static inline int count_in(struct scene *s, const char *dir)
{
	auto_free char *path = xasprintf("%s/%s", s->run, dir);
	DIR *d = opendir(path);
	int n = -2;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void) closedir(d);
	return n;
}

/* An image that was being prepared when nobody wanted it any more is thrown away once that ends. */
static inline void turn_until_empty(struct scene *s, const char *dir)
{
	uint64_t end = clock_mono_ms() + 60000;

	while (count_in(s, dir) > 0) {
		assert_ok(loop_turn(s->loop, 20, &e));
		assert_true(clock_mono_ms() < end);
	}
}

static inline void assert_no_trace(struct scene *s)
{
	assert_int_equal(count_in(s, "sandboxes"), 0);
	assert_int_equal(count_in(s, "uids"), 0);
	turn_until_empty(s, "templates");
}

static inline int lines_of(struct scene *s, const char *name)
{
	auto_buf struct buf text = BUF_LIMIT(65536);
	struct err ignored;
	int n = 0;

	if (fd_read_file(s->dir.fd, name, 65536, &text, &ignored) < 0)
		return 0;
	for (const char *p = buf_str(&text); *p; p++)
		n += *p == '\n';
	return n;
}

static inline struct json_doc *read_json(struct scene *s, const char *path)
{
	struct json_doc *doc = NULL;
	auto_free char *full = xasprintf("run/%s", path);

	assert_ok(json_parse_file(s->dir.fd, full, NULL, &doc, &e));
	return doc;
}

#endif
