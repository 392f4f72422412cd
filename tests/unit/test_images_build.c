/* What an image is built from: recipes, and the host's package sources. */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/util.h"
#include "images/apt_sources.h"
#include "images/recipe.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipes),
		cmocka_unit_test(sources_of_apt),
	};

	return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
