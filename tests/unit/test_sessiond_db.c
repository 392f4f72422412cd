/* What the daemon keeps: keys, sessions, records and quotas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "sessiond/db.h"
#include "sessiond/digest.h"
#include "sessiond/keys.h"
#include "sessiond/launch.h"
#include "sessiond/records.h"
#include "sessiond/tiers.h"
#include "sessiond/upgrade.h"
#include "tests/unit/free_tier.h"

/* ---- with a database ---- */

static int with_db(void **state)
{
	char dir[] = "/tmp/carrel-test-XXXXXX";
	struct db *db = NULL;
	struct err e = ERR_NONE;

	assert_non_null(mkdtemp(dir));
	if (db_open(dir, "t.db", &db, &e) < 0)
		fail_msg("%s", e.msg);
	*state = xalloc(sizeof(void *) * 2);
	((void **) *state)[0] = db;
	((void **) *state)[1] = xstrdup(dir);
	return 0;
}

static int without_db(void **state)
{
	void **s = *state;
	auto_close int tmp = FD_NONE;
	struct err e = ERR_NONE;

	db_close(s[0]);
	tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fd_remove_tree(tmp, (char *) s[1] + strlen("/tmp/"), &e), 0);
	free(s[1]);
	free(s);
	return 0;
}

static struct db *db_of(void **state)
{
	return ((void **) *state)[0];
}

static void add(struct db *db, struct key_spec spec, char key[KEY_LEN + 1],
		char id[KEY_ID_LEN + 1])
{
	struct err e = ERR_NONE;

	if (key_add(db, &spec, key, id, &e) < 0)
		fail_msg("%s", e.msg);
}

static void keys(void **state)
{
	struct db *db = db_of(state);
	char key[KEY_LEN + 1], id[KEY_ID_LEN + 1];
	struct identity who = { 0 };
	struct err e = ERR_NONE;

	add(db, (struct key_spec){ .user = "ann", .tier = "free", .admin = true }, key, id);
	assert_int_equal(strlen(key), KEY_LEN);
	assert_memory_equal(key, "crl_", 4);
	assert_int_equal(key_find(db, key, &who, &e), 1);
	assert_string_equal(who.user, "ann");
	assert_string_equal(who.tier_name, "free");
	assert_true(who.admin && who.via == VIA_KEY);
	for (size_t i = 0; i < KEY_LEN; i++) {
		char wrong[KEY_LEN + 1];

		memcpy(wrong, key, sizeof(wrong));
		wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
		assert_int_equal(key_find(db, wrong, &who, &e), 0);
		wrong[i] = 0;
		assert_int_equal(key_find(db, wrong, &who, &e), 0);
	}
	assert_int_equal(key_valid(db, id, &e), 1);
	assert_int_equal(key_remove(db, id, &e), 1);
	assert_int_equal(key_remove(db, id, &e), 0);
	assert_int_equal(key_valid(db, id, &e), 0);
	assert_int_equal(key_find(db, key, &who, &e), 0);

	add(db, (struct key_spec){ .user = "ann", .tier = "free", .expires_ms = 1 }, key, id);
	assert_int_equal(key_find(db, key, &who, &e), 0);
	assert_int_equal(key_valid(db, id, &e), 0);
}

static void key_not_stored(void **state)
{
	struct db *db = db_of(state);
	char key[KEY_LEN + 1], id[KEY_ID_LEN + 1], path[128];
	auto_buf struct buf file = BUF_LIMIT(8 << 20);
	struct err e = ERR_NONE;

	add(db, (struct key_spec){ .user = "ann", .tier = "free" }, key, id);
	(void) snprintf(path, sizeof(path), "%s/t.db-wal", (char *) ((void **) *state)[1]);
	assert_int_equal(fd_read_file(AT_FDCWD, path, 8 << 20, &file, &e), 0);
	assert_non_null(memmem(buf_bytes(&file), buf_len(&file), "ann", 3));
	assert_null(memmem(buf_bytes(&file), buf_len(&file), key + 17, SECRET_LEN));
}

static void key_users(void **state)
{
	static const char *const bad[] = { "", "a b", "-a", ".a", "a/b", "a\n", "ä" };
	struct err e = ERR_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(key_check_user(bad[i], &e), -1);
	assert_int_equal(key_check_user("ann.b-c_d@example.org", &e), 0);
}

static void sessions(void **state)
{
	struct db *db = db_of(state);
	char key[KEY_LEN + 1], id[KEY_ID_LEN + 1], token[KEY_LEN + 1], second[KEY_LEN + 1];
	struct identity who = { 0 };
	struct err e = ERR_NONE;

	add(db, (struct key_spec){ .user = "ann", .tier = "free", .first_use = true }, key, id);
	/* A first-use key opens one session and is no key otherwise. */
	assert_int_equal(key_find(db, key, &who, &e), 0);
	assert_int_equal(session_new(db, key, 60000, token, &who, &e), 1);
	assert_int_equal(session_new(db, key, 60000, second, &who, &e), 0);
	assert_int_equal(session_find(db, token, &who, &e), 1);
	assert_int_equal(key_valid(db, id, &e), 1);
	assert_true(who.via == VIA_COOKIE);
	assert_string_equal(who.user, "ann");
	/* Neither is the other. */
	assert_int_equal(key_find(db, token, &who, &e), 0);
	assert_int_equal(session_find(db, key, &who, &e), 0);
	assert_true(keys_prune(db, &e) >= 0);
	assert_int_equal(session_find(db, token, &who, &e), 1);
	assert_int_equal(session_remove(db, token, &e), 1);
	assert_int_equal(session_find(db, token, &who, &e), 0);

	add(db, (struct key_spec){ .user = "ann", .tier = "free" }, key, id);
	assert_int_equal(session_new(db, key, 60000, token, &who, &e), 1);
	assert_int_equal(session_new(db, key, 60000, second, &who, &e), 1);
	assert_int_equal(session_find(db, token, &who, &e), 1);
	assert_int_equal(key_remove(db, id, &e), 1);
	assert_int_equal(session_find(db, token, &who, &e), 0);
	assert_int_equal(session_find(db, second, &who, &e), 0);

	add(db, (struct key_spec){ .user = "ann", .tier = "free" }, key, id);
	assert_int_equal(session_new(db, key, 0, token, &who, &e), 1);
	assert_int_equal(session_find(db, token, &who, &e), 0);
}

static struct record new_record(const char *id, const char *user, uint64_t at)
{
	struct record r = { .created_ms = at };

	(void) snprintf(r.id, sizeof(r.id), "%s", id);
	(void) snprintf(r.user, sizeof(r.user), "%s", user);
	(void) snprintf(r.tier, sizeof(r.tier), "free");
	(void) snprintf(r.image, sizeof(r.image), "default");
	return r;
}

static int reserve(struct db *db, const char *id, const char *user, uint64_t at,
		   struct quota_use *use)
{
	char command[] = "null", labels[] = "{}";
	struct record r = new_record(id, user, at);
	struct err e = ERR_NONE;
	int q;

	r.command = command;
	r.labels = labels;
	q = quota_reserve(db, &r, &free_tier, use, &e);
	if (q < 0)
		fail_msg("%s", e.msg);
	return q;
}

static void quota(void **state)
{
	const uint64_t now = 1000000000;
	struct launch_exit exited = { .reason = LAUNCH_EXITED };
	struct db *db = db_of(state);
	struct quota_use use;
	struct err e = ERR_NONE;

	assert_int_equal(reserve(db, "a1", "ann", now, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "a2", "ann", now + 1000, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "a3", "ann", now + 2000, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "a4", "ann", now + 3000, &use), QUOTA_SANDBOXES);
	assert_int_equal(use.sandboxes, 3);
	assert_int_equal(reserve(db, "b1", "bob", now + 3000, &use), QUOTA_OK);
	/* A start that failed costs nothing. */
	assert_int_equal(quota_release(db, "a3", &e), 0);
	assert_int_equal(reserve(db, "a4", "ann", now + 4000, &use), QUOTA_OK);
	/* The end of one makes room, its creation stays counted. */
	assert_int_equal(record_ended(db, "a1", &exited, now, &e), 1);
	assert_int_equal(record_ended(db, "a1", &exited, now, &e), 0);
	assert_int_equal(record_ended(db, "a2", &exited, now, &e), 1);
	assert_int_equal(reserve(db, "a5", "ann", now + 5000, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "a6", "ann", now + 6000, &use), QUOTA_OK);
	assert_int_equal(record_ended(db, "a6", &exited, now, &e), 1);
	assert_int_equal(reserve(db, "a7", "ann", now + 7000, &use), QUOTA_CREATIONS);
	assert_int_equal(use.creations, 5);
	assert_int_equal(use.retry_ms, RECORD_HOUR_MS - 7000);
	assert_int_equal(reserve(db, "a7", "ann", now + RECORD_HOUR_MS + 1, &use), QUOTA_OK);
}

/* Ten processes with a connection each reach for three places. */
static void quota_race(void **state)
{
	const char *dir = ((void **) *state)[1];
	int won = 0, status;

	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct quota_use use;
			struct err e = ERR_NONE;
			char id[16], command[] = "null", labels[] = "{}";
			struct record r;
			struct db *db;

			(void) snprintf(id, sizeof(id), "r%d", i);
			r = new_record(id, "ann", clock_real_ms());
			r.command = command;
			r.labels = labels;
			if (db_open(dir, "t.db", &db, &e) < 0)
				_exit(9);
			_exit(quota_reserve(db, &r, &free_tier, &use, &e) == QUOTA_OK ? 0 : 1);
		}
	}
	while (wait(&status) > 0) {
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		won += WEXITSTATUS(status) == 0;
	}
	assert_int_equal(won, 3);
}

/* ---- volumes ---- */

static int reserve_with(struct db *db, const char *id, const char *user, const char *workspace,
			struct quota_use *use, char volume[VOLUME_ID_LEN + 1])
{
	char command[] = "null", labels[] = "{}";
	struct record r = new_record(id, user, 1000);
	struct tier tier = free_tier;
	struct err e = ERR_NONE;
	int q;

	tier.sandboxes = tier.creations_per_hour = 100;
	tier.workspace.volumes = 2;
	(void) snprintf(r.workspace, sizeof(r.workspace), "%s", workspace);
	r.command = command;
	r.labels = labels;
	q = quota_reserve(db, &r, &tier, use, &e);
	if (q < 0)
		fail_msg("%s", e.msg);
	if (volume)
		memcpy(volume, r.volume, sizeof(r.volume));
	return q;
}

static void volumes_are_reserved(void **state)
{
	char first[VOLUME_ID_LEN + 1], again[VOLUME_ID_LEN + 1];
	struct launch_exit exited = { .reason = LAUNCH_EXITED };
	struct db *db = db_of(state);
	struct quota_use use = { 0 };
	struct err e = ERR_NONE;
	uint32_t n;

	assert_int_equal(reserve_with(db, "a1", "ann", "work", &use, first), QUOTA_OK);
	assert_int_equal(strlen(first), VOLUME_ID_LEN);
	assert_int_equal(reserve_with(db, "a2", "ann", "work", &use, again), QUOTA_VOLUME_BUSY);
	assert_string_equal(use.sandbox, "a1");
	assert_int_equal(reserve_with(db, "a2", "ann", "more", &use, again), QUOTA_OK);
	assert_string_not_equal(first, again);
	assert_int_equal(reserve_with(db, "a3", "ann", "third", &use, again), QUOTA_VOLUMES);
	assert_int_equal(use.volumes, 2);
	/* Another user's of the same name is another one, and without a volume there is no limit of them. */
	assert_int_equal(reserve_with(db, "b1", "bob", "work", &use, again), QUOTA_OK);
	assert_string_not_equal(first, again);
	assert_int_equal(reserve_with(db, "a4", "ann", "", &use, again), QUOTA_OK);
	assert_string_equal(again, "");
	/* The end of the sandbox frees the volume, which stays the same one. */
	assert_int_equal(record_ended(db, "a1", &exited, 2000, &e), 1);
	assert_int_equal(reserve_with(db, "a5", "ann", "work", &use, again), QUOTA_OK);
	assert_string_equal(first, again);
	/* What was refused left nothing. */
	assert_int_equal(volume_count(db, "ann", &n, &e), 0);
	assert_int_equal(n, 2);
}

static void volumes_are_condemned(void **state)
{
	char id[VOLUME_ID_LEN + 1], other[VOLUME_ID_LEN + 1];
	struct launch_exit exited = { .reason = LAUNCH_EXITED };
	struct db *db = db_of(state);
	struct quota_use use;
	struct volume_row v;
	struct err e = ERR_NONE;
	char condemned[4][VOLUME_ID_LEN + 1];
	size_t n;

	assert_int_equal(reserve_with(db, "a1", "ann", "work", &use, id), QUOTA_OK);
	assert_int_equal(volume_find(db, "ann", "work", &v, &e), 1);
	assert_string_equal(v.sandbox, "a1");
	assert_int_equal(volume_find(db, "ann", id, &v, &e), 1);
	assert_int_equal(volume_find(db, "bob", "work", &v, &e), 0);
	assert_int_equal(volume_find(db, "bob", id, &v, &e), 0);
	assert_int_equal(volume_find(db, NULL, id, &v, &e), 1);
	/* In use it is not; afterwards once. */
	assert_int_equal(volume_condemn(db, id, &e), 0);
	assert_int_equal(record_ended(db, "a1", &exited, 2000, &e), 1);
	assert_int_equal(volume_condemn(db, id, &e), 1);
	assert_int_equal(volume_condemn(db, id, &e), 0);
	assert_int_equal(volume_find(db, "ann", "work", &v, &e), 0);
	assert_int_equal(volume_find(db, NULL, id, &v, &e), 0);
	/* Its name is free before it is gone. */
	assert_int_equal(reserve_with(db, "a2", "ann", "work", &use, other), QUOTA_OK);
	assert_string_not_equal(id, other);
	assert_int_equal(volume_condemned(db, condemned, 4, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(condemned[0], id);
	assert_int_equal(volume_forget(db, id, &e), 0);
	assert_int_equal(volume_condemned(db, condemned, 4, &n, &e), 0);
	assert_int_equal(n, 0);
}

static void count_live(void *arg, const char *id)
{
	++*(int *) arg;
}

static void records(void **state)
{
	struct launch_exit oom = { .reason = LAUNCH_OOM,
				   .signal = 9,
				   .oom_kills = 2,
				   .oom_limit = 4096,
				   .oom_own_limit = true,
				   .io_write_bytes = 512 };
	struct db *db = db_of(state);
	struct record r = { 0 }, *v;
	struct quota_use use;
	struct err e = ERR_NONE;
	int live = 0;
	size_t n;

	assert_int_equal(reserve(db, "a1", "ann", 5000, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "b1", "bob", 5000, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "a2", "ann", 5000, &use), QUOTA_OK);
	assert_int_equal(record_find(db, "nope", &r, &e), 0);
	assert_int_equal(record_running(db, "a1", &e), 1);
	assert_int_equal(record_find(db, "a1", &r, &e), 1);
	assert_int_equal(r.state, RECORD_RUNNING);
	assert_null(r.exit);
	record_fini(&r);
	assert_int_equal(record_extend(db, "a1", 99000, &e), 1);
	assert_int_equal(record_find(db, "a1", &r, &e), 1);
	assert_int_equal(r.lifetime_ms, 99000);
	record_fini(&r);
	assert_int_equal(record_ended(db, "a1", &oom, 6000, &e), 1);
	assert_int_equal(record_find(db, "a1", &r, &e), 1);
	assert_int_equal(r.state, RECORD_ENDED);
	assert_string_equal(r.reason, "oom");
	assert_non_null(strstr(r.exit, "\"oom_kills\":2"));
	assert_non_null(
		strstr(r.exit, "\"oom\":{\"kills\":2,\"limit\":4096,\"own_limit\":true}"));
	assert_non_null(strstr(r.exit, "\"io_write_bytes\":512"));
	assert_int_equal(record_extend(db, "a1", 7, &e), 0);
	record_fini(&r);

	assert_int_equal(record_each_live(db, count_live, &live, &e), 0);
	assert_int_equal(live, 2);
	assert_int_equal(record_list(db, "ann", NULL, 10, &v, &n, &e), 0);
	assert_int_equal(n, 2);
	record_fini(&v[0]);
	record_fini(&v[1]);
	free(v);
	assert_int_equal(record_list(db, NULL, "a1", 1, &v, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(v[0].id, "b1");
	record_fini(&v[0]);
	free(v);
	assert_int_equal(record_list(db, NULL, "nope", 1, &v, &n, &e), -1);
	assert_int_equal(record_list(db, "bob", "a1", 1, &v, &n, &e), -1);
	assert_int_equal(e.code, ENOENT);
	assert_true(records_prune(db, 6000, 7000, &e) >= 0);
	assert_int_equal(record_find(db, "a1", &r, &e), 1);
	record_fini(&r);
	assert_true(records_prune(db, 6001, 7000, &e) >= 0);
	assert_int_equal(record_find(db, "a1", &r, &e), 0);
}

static void db_newer(void **state)
{
	const char *dir = ((void **) *state)[1];
	struct db *db = NULL;
	struct err e = ERR_NONE;

	assert_int_equal(db_exec(db_of(state), &e, "PRAGMA user_version = 99", ""), 0);
	assert_int_equal(db_open(dir, "t.db", &db, &e), -1);
	assert_non_null(strstr(e.msg, "version 99"));
}

static void digests(void **state)
{
	struct digest d = digest_sha256("abc", 3);
	char hex[65];

	str_hex(d.bytes, 32, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#define db_test(f) cmocka_unit_test_setup_teardown(f, with_db, without_db)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),
		db_test(keys),
		db_test(key_not_stored),
		cmocka_unit_test(key_users),
		db_test(sessions),
		db_test(quota),
		db_test(quota_race),
		db_test(volumes_are_reserved),
		db_test(volumes_are_condemned),
		db_test(records),
		db_test(db_newer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
