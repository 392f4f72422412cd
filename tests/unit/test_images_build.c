/* What an image is built from: recipes, the host's package sources, and images (build_above.c). */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/util.h"
#include "images/apt_sources.h"
#include "images/blob.h"
#include "images/build_above.h"
#include "images/index.h"
#include "images/media.h"
#include "images/recipe.h"
#include "images/store.h"

#define RECIPE "name: n\nsuite: bookworm\nvariant: minbase\ncomponents: [main]\ncmd: [sh]\n"

static void recipes(void **state)
{
	static const char good[] = RECIPE "packages: [bash, python3]\n"
					  "user: {name: u, uid: 1000, home: /home/u, shell: "
					  "/bin/sh}\nenv: [A=b]\nfiles: {/etc/x: hello}\n"
					  "remove: [/var/log/*]\n";
	static const char above[] = "name: n\nbase: ../default\npackages: [git]\n";
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ RECIPE, "packages" },
		{ RECIPE "packages: [--hook=x]\n", "packages" },
		{ RECIPE "packages: ['a;b']\n", "packages" },
		{ RECIPE "packages: []\nremove: ['/x\"; rm -rf /']\n", "remove" },
		{ RECIPE "packages: []\nremove: [/]\n", "remove" },
		{ RECIPE "packages: []\nremove: [/a/../../b]\n", "remove" },
		{ RECIPE "packages: []\nremove: [relative]\n", "remove" },
		{ RECIPE "packages: []\nfiles: {/etc/../../x: a}\n", "files" },
		{ RECIPE "packages: []\nfiles: {/etc/x: 7}\n", "files" },
		{ RECIPE "packages: []\nuser: {name: 'u; x', uid: 1, home: /h, shell: /s}\n",
		  "user.name" },
		{ RECIPE "packages: []\nuser: {name: u, uid: 1, home: '/h $(x)', shell: /s}\n",
		  "user.home" },
		{ RECIPE "packages: []\nuser: {name: u, uid: 1, home: /h}\n", "user.shell" },
		{ RECIPE "packages: []\nenv: [=]\n", "env[0]" },
		{ RECIPE "packages: []\nworkdir: x\n", "workdir" },
		{ RECIPE "packages: []\nnonsense: x\n", "nonsense" },
		{ RECIPE "packages: []\nbase: ../x\n", "suite: it is the base's" },
		{ "name: n\nbase: '../x;y'\npackages: []\n", "base" },
		{ "name: n\nbase: ''\npackages: []\n", "base" },
		{ "name: n\nsuite: s\nvariant: v\ncomponents: [c]\npackages: []\n",
		  "cmd: missing" },
		{ "name: n\npackages: []\ncmd: [sh]\n", "suite: missing" },
		{ "name: n\nsuite: s\nvariant: v\ncomponents: []\npackages: []\ncmd: [sh]\n",
		  "components" },
		{ "name: n\nsuite: s\nvariant: extract\ncomponents: [c]\npackages: []\n"
		  "cmd: [sh]\nfiles: {/etc/x: a}\n",
		  "variant: extract" },
	};
	auto_recipe struct recipe r = { 0 };
	struct err e = ERR_NONE;

	assert_int_equal(recipe_parse(good, strlen(good), &r, &e), 0);
	assert_string_equal(r.packages[1], "python3");
	assert_int_equal(r.user.uid, 1000);
	recipe_fini(&r);
	assert_int_equal(recipe_parse(above, strlen(above), &r, &e), 0);
	assert_string_equal(r.base, "../default");
	assert_null(r.suite);
	assert_null(r.cmd);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct recipe no = { 0 };

		e = ERR_NONE;
		if (recipe_parse(bad[i].text, strlen(bad[i].text), &no, &e) == 0)
			fail_msg("accepted: %s", bad[i].text);
		says(&e, bad[i].says);
	}
}

static void sources_of_apt(void **state)
{
	static const char answer[] = "http://mirror.example/debian/|bookworm|main\n"
				     "http://mirror.example/debian/|bookworm-updates|main\n"
				     "http://sec.example/|bookworm-security|main\n"
				     "http://mirror.example/debian/|bookworm|contrib\n"
				     "https://other.example/|stable|main\n"
				     "https://other.example/|bookworm-backports|main\n"
				     "https://other.example/|bookworm|stable\n"
				     "broken\n";
	const char *components[] = { "main", NULL };
	auto_buf struct buf out = BUF_LIMIT(4096);
	struct err e = ERR_NONE;

	assert_int_equal(apt_sources_filter(answer, "bookworm", components, &out, &e), 0);
	assert_string_equal(buf_str(&out),
			    "deb http://mirror.example/debian/ bookworm main\n"
			    "deb http://mirror.example/debian/ bookworm-updates main\n"
			    "deb http://sec.example/ bookworm-security main\n");
	assert_int_equal(apt_sources_filter(answer, "trixie", components, &out, &e), -1);
	says(&e, "trixie");
}

/* ---- build_above.c: which image may be a base ---- */

static const char no_digest[] =
	"sha256:0000000000000000000000000000000000000000000000000000000000000000";
static const char one_digest[] =
	"sha256:1111111111111111111111111111111111111111111111111111111111111111";

/* An image of n layers, which nobody has unpacked. */
static void put_image(struct store_work *w, const char *name, int n)
{
	const char *layer = "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
			    "\"digest\":\"%s\",\"size\":1}";
	char config[512], manifest[1024], first[256], second[256];
	struct index_entry en = { .name = (char *) name,
				  .media_type = (char *) MEDIA_OCI_MANIFEST };
	struct blob b;

	snprintf(config, sizeof(config),
		 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
		 "\"diff_ids\":[\"%s\"%s%s%s]}}",
		 no_digest, n > 1 ? ",\"" : "", n > 1 ? one_digest : "", n > 1 ? "\"" : "");
	assert_ok(blob_stage_mem(w, config, strlen(config), &b, &e));
	snprintf(first, sizeof(first), layer, no_digest);
	snprintf(second, sizeof(second), layer, one_digest);
	snprintf(manifest, sizeof(manifest),
		 "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":{"
		 "\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"%s\",\"size\":%llu},"
		 "\"layers\":[%s%s%s]}",
		 digest_text(&b.digest).s, (unsigned long long) b.size, first, n > 1 ? "," : "",
		 n > 1 ? second : "");
	assert_ok(blob_stage_mem(w, manifest, strlen(manifest), &b, &e));
	assert_ok(store_commit(w, &e));
	en.digest = b.digest;
	en.size = b.size;
	assert_ok(index_put(w->store, &en, &e));
}

static void bases(void **state)
{
	auto_store_work struct store_work w = STORE_WORK_NONE;
	auto_store struct store s = STORE_NONE;
	struct scratch *scratch = *state;
	struct err why = ERR_NONE;
	struct stat want, got;
	char path[160];

	assert_ok(store_open(scratch->path, STORE_WORK, &s, &e));
	assert_ok(store_work_begin(&s, &w, &e));
	assert_err(build_above_open(&w, "nobody", &e), ENOENT);
	put_image(&w, "two", 2);
	assert_int_equal(build_above_open(&w, "two", &why), -1);
	assert_int_equal(why.code, ENOTSUP);
	says(&why, "base two: it has 2 layers; one is supported");
	put_image(&w, "one", 1);
	why = ERR_NONE;
	assert_int_equal(build_above_open(&w, "one", &why), -1);
	assert_int_equal(why.code, ENOENT);
	says(&why, "base one: its layer is not in the store");
	snprintf(path, sizeof(path), "layers/%s", no_digest + strlen("sha256:"));
	assert_int_equal(mkdirat(s.dir_fd, path, 0755), 0);
	strcat(path, "/root");
	assert_int_equal(mkdirat(s.dir_fd, path, 0755), 0);
	auto_close int root = build_above_open(&w, "one", &why);
	assert_true(root >= 0);
	assert_int_equal(fstat(root, &got), 0);
	assert_int_equal(fstatat(s.dir_fd, path, &want, 0), 0);
	assert_int_equal(got.st_ino, want.st_ino);
	/* And no gc takes it from now on. */
	snprintf(path, sizeof(path), "%s", no_digest + strlen("sha256:"));
	assert_int_equal(faccessat(w.pins_fd, path, F_OK, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipes),
		cmocka_unit_test(sources_of_apt),
		cmocka_unit_test_setup_teardown(bases, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
