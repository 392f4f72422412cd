#include "images/recipe.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/path.h"
#include "base/yaml.h"
#include "images/imageconfig.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

/* What may stand in a word that reaches mmdebstrap, dpkg or a shell. */
static const char word_chars[] = LOWER DIGIT "+-.:_";
static const char name_chars[] = LOWER UPPER DIGIT "-_./:";
static const char user_chars[] = LOWER DIGIT "-_";
static const char path_chars[] = LOWER UPPER DIGIT "/._+@-";
static const char glob_chars[] = LOWER UPPER DIGIT "/._+@*?[]-";

static const struct json_field user_fields[] = {
	{ "name", json_decode_str, offsetof(struct recipe_user, name), JSON_REQUIRED },
	{ "uid", json_decode_u32, offsetof(struct recipe_user, uid), JSON_REQUIRED },
	{ "home", json_decode_str, offsetof(struct recipe_user, home), JSON_REQUIRED },
	{ "shell", json_decode_str, offsetof(struct recipe_user, shell), JSON_REQUIRED },
};

static int decode_user(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	return json_decode_object(v, at, user_fields, ARRAY_SIZE(user_fields),
				  JSON_UNKNOWN_REJECT, out, e);
}

static const struct json_field fields[] = {
	{ "name", json_decode_str, offsetof(struct recipe, name), JSON_REQUIRED },
	{ "base", json_decode_str, offsetof(struct recipe, base), 0 },
	{ "suite", json_decode_str, offsetof(struct recipe, suite), 0 },
	{ "variant", json_decode_str, offsetof(struct recipe, variant), 0 },
	{ "components", json_decode_strv, offsetof(struct recipe, components), 0 },
	{ "packages", json_decode_strv, offsetof(struct recipe, packages), JSON_REQUIRED },
	{ "exclude", json_decode_strv, offsetof(struct recipe, exclude), 0 },
	{ "include", json_decode_strv, offsetof(struct recipe, include), 0 },
	{ "remove", json_decode_strv, offsetof(struct recipe, remove), 0 },
	{ "files", json_decode_node, offsetof(struct recipe, files), 0 },
	{ "user", decode_user, offsetof(struct recipe, user), 0 },
	{ "env", json_decode_strv, offsetof(struct recipe, env), 0 },
	{ "entrypoint", json_decode_strv, offsetof(struct recipe, entrypoint), 0 },
	{ "cmd", json_decode_strv, offsetof(struct recipe, cmd), 0 },
	{ "workdir", json_decode_str, offsetof(struct recipe, workdir), 0 },
};

static int check_word(const char *s, const char *allowed, const char *what, struct err *e)
{
	if (!*s || *s == '-' || s[strspn(s, allowed)])
		return err_set(e, EINVAL, "%s: '%.60s' is not accepted there", what, s);
	return 0;
}

static int check_words(const char **v, const char *allowed, const char *what, struct err *e)
{
	for (size_t i = 0; v && v[i]; i++) {
		if (check_word(v[i], allowed, what, e) < 0)
			return -1;
	}
	return 0;
}

static int check_paths(const char **v, const char *what, struct err *e)
{
	for (size_t i = 0; v && v[i]; i++) {
		if (!path_is_clean_absolute(v[i]) || !v[i][1] || v[i][strspn(v[i], glob_chars)])
			return err_set(
				e, EINVAL,
				"%s: '%.60s': an absolute path (with * ? []) is expected", what,
				v[i]);
	}
	return 0;
}

static int check_files(const struct json *files, struct err *e)
{
	if (!files)
		return 0;
	if (files->type != JSON_OBJECT)
		return err_set(e, EINVAL, "files: a mapping of paths to texts is expected");
	json_each (f, files) {
		if (!path_is_clean_absolute(f->key) || f->key[strspn(f->key, path_chars)])
			return err_set(e, EINVAL,
				       "files: '%.60s': an absolute path is expected", f->key);
		if (f->type != JSON_STRING)
			return err_set(e, EINVAL, "files: %.60s: text is expected", f->key);
	}
	return 0;
}

static int check_user(const struct recipe_user *u, struct err *e)
{
	if (!u->name)
		return 0;
	if (check_word(u->name, user_chars, "user.name", e) < 0)
		return -1;
	if (!path_is_clean_absolute(u->home) || u->home[strspn(u->home, path_chars)])
		return err_set(e, EINVAL, "user.home: an absolute path is expected");
	if (!path_is_clean_absolute(u->shell) || u->shell[strspn(u->shell, path_chars)])
		return err_set(e, EINVAL, "user.shell: an absolute path is expected");
	return 0;
}

/* What a recipe stands on: a suite, or another recipe. */
static int check_ground(const struct recipe *r, struct err *e)
{
	const struct {
		const char *name;
		bool given;
	} own[] = { { "suite", r->suite },
		    { "variant", r->variant },
		    { "components", r->components },
		    { "cmd", r->cmd } };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (!r->base && !own[i].given)
			return err_set(e, EINVAL, "%s: missing", own[i].name);
		if (r->base && own[i].given && strcmp(own[i].name, "cmd") != 0)
			return err_set(e, EINVAL, "%s: it is the base's", own[i].name);
	}
	if (r->base)
		return *r->base && !r->base[strspn(r->base, path_chars)]
			       ? 0
			       : err_set(e, EINVAL, "base: '%.60s': a path is expected",
					 r->base);
	if (check_word(r->suite, word_chars, "suite", e) < 0 ||
	    check_word(r->variant, word_chars, "variant", e) < 0 ||
	    check_words(r->components, word_chars, "components", e) < 0)
		return -1;
	if (!r->components[0])
		return err_set(e, EINVAL, "components: none is named");
	return 0;
}

/* mmdebstrap only unpacks packages then: no hook runs, dpkg's options do not count. */
static int check_extract(const struct recipe *r, struct err *e)
{
	if (r->variant && strcmp(r->variant, "extract") == 0 &&
	    (r->files || r->user.name || r->remove || r->exclude || r->include))
		return err_set(
			e, EINVAL,
			"variant: extract takes packages as they are: no files, user, remove, "
			"exclude or include");
	return 0;
}

static int check(const struct recipe *r, struct err *e)
{
	if (check_word(r->name, name_chars, "name", e) < 0 || check_ground(r, e) < 0 ||
	    check_extract(r, e) < 0 ||
	    check_words(r->packages, word_chars, "packages", e) < 0 ||
	    check_paths(r->exclude, "exclude", e) < 0 ||
	    check_paths(r->include, "include", e) < 0 ||
	    check_paths(r->remove, "remove", e) < 0 || check_files(r->files, e) < 0 ||
	    check_user(&r->user, e) < 0)
		return -1;
	if (r->cmd && !r->cmd[0])
		return err_set(e, EINVAL, "cmd: it is empty");
	if (r->workdir && !path_is_clean_absolute(r->workdir))
		return err_set(e, EINVAL, "workdir: an absolute path is expected");
	for (size_t i = 0; r->env && r->env[i]; i++) {
		if (imageconfig_check_env(r->env[i], e) < 0)
			return err_wrap(e, "env[%zu]", i);
	}
	return 0;
}

int recipe_parse(const char *text, size_t n, struct recipe *out, struct err *e)
{
	struct recipe r = { 0 };

	if (yaml_parse(text, n, &r.doc, e) < 0)
		return -1;
	if (json_decode_object(json_root(r.doc), NULL, fields, ARRAY_SIZE(fields),
			       JSON_UNKNOWN_REJECT, &r, e) < 0 ||
	    check(&r, e) < 0) {
		recipe_fini(&r);
		return -1;
	}
	*out = r;
	return 0;
}

void recipe_fini(struct recipe *r)
{
	free(r->components);
	free(r->packages);
	free(r->exclude);
	free(r->include);
	free(r->remove);
	free(r->env);
	free(r->entrypoint);
	free(r->cmd);
	json_doc_free(r->doc);
	*r = (struct recipe){ 0 };
}
