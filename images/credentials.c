#include "images/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"

enum { FILE_MAX = 1 << 20 };

void credentials_fini(struct credentials *c)
{
	OPENSSL_cleanse(c, sizeof(*c));
}

static bool is_plain(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char) *s < ' ' || *s == 0x7f)
			return false;
	}
	return true;
}

/* No piece of the text goes into an error here. */
static int set(struct credentials *c, const char *user, const char *secret, struct err *e)
{
	if (!is_plain(user) || !is_plain(secret) || strchr(user, ':'))
		return err_set(e, EINVAL, "a control character in a user name or password");
	if (strlen(user) >= sizeof(c->user) || strlen(secret) >= sizeof(c->secret))
		return err_set(e, EFBIG, "too long a user name or password");
	memcpy(c->user, user, strlen(user) + 1);
	memcpy(c->secret, secret, strlen(secret) + 1);
	return 0;
}

int credentials_parse(const char *text, struct credentials *out, struct err *e)
{
	auto_free char *copy = xstrdup(text);
	char *colon = strchr(copy, ':');
	int r;

	if (!colon || colon == copy || colon[1] == '\0')
		return err_set(e, EINVAL, "credentials are USER:PASSWORD");
	*colon = '\0';
	r = set(out, copy, colon + 1, e);
	OPENSSL_cleanse(copy, strlen(text));
	return r;
}

static int decode_pair(const char *code, struct credentials *out, struct err *e)
{
	size_t n = strlen(code);
	auto_free char *pair = NULL;
	int got, r;

	if (n == 0 || n % 4 != 0 || n > 2 * (size_t) CREDENTIALS_SECRET)
		return err_set(e, EINVAL, "auth: no base64");
	pair = xalloc(n + 1);
	got = EVP_DecodeBlock((unsigned char *) pair, (const unsigned char *) code, (int) n);
	if (got < 0)
		return err_set(e, EINVAL, "auth: no base64");
	/* Zero bytes for "=" at the end; podman ends the text with one more. */
	r = credentials_parse(pair, out, e);
	OPENSSL_cleanse(pair, n);
	return r < 0 ? err_wrap(e, "auth") : 0;
}

static bool names_host(const char *key, size_t n, const char *host)
{
	static const char *const hub[] = { "index.docker.io", "registry-1.docker.io",
					   "docker.io" };

	for (size_t i = 0; strcmp(host, "docker.io") == 0 && i < ARRAY_SIZE(hub); i++) {
		if (n == strlen(hub[i]) && strncmp(key, hub[i], n) == 0)
			return true;
	}
	return n == strlen(host) && strncmp(key, host, n) == 0;
}

/* "https://index.docker.io/v1/" is docker.io, "https://HOST/" is HOST, "HOST/REPOSITORY" a part of it. Returns how
 * much of the name the key covers, 0: none. */
static size_t covers(const char *key, const char *host, const char *repo)
{
	static const char *const whole[] = { "", "/", "/v1", "/v1/", "/v2", "/v2/" };
	size_t n, n_repo;

	if (str_has_prefix(key, "https://"))
		key += strlen("https://");
	else if (str_has_prefix(key, "http://"))
		key += strlen("http://");
	n = strcspn(key, "/");
	if (!names_host(key, n, host))
		return 0;
	key += n;
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		if (strcmp(key, whole[i]) == 0)
			return n;
	}
	key++;
	n_repo = strlen(key);
	if (strncmp(repo, key, n_repo) != 0 || (repo[n_repo] && repo[n_repo] != '/'))
		return 0;
	return n + 1 + n_repo;
}

static const struct json *best(const struct json *map, const char *host, const char *repo)
{
	const struct json *found = NULL;
	size_t most = 0;

	json_each (it, map) {
		size_t n = map->type == JSON_OBJECT ? covers(it->key, host, repo) : 0;

		if (n > most) {
			most = n;
			found = it;
		}
	}
	return found;
}

static int from_entry(const struct json *entry, struct credentials *out, struct err *e)
{
	const char *token = json_str_or(entry, "identitytoken", "");
	const char *code = json_str_or(entry, "auth", "");
	const char *user = json_str_or(entry, "username", "");

	if (*token)
		return set(out, "", token, e) < 0 ? -1 : 1;
	if (*code)
		return decode_pair(code, out, e) < 0 ? -1 : 1;
	if (*user)
		return set(out, user, json_str_or(entry, "password", ""), e) < 0 ? -1 : 1;
	return 0;
}

int credentials_from_json(const char *text, size_t n, const char *host, const char *repo,
			  struct credentials *out, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	const struct json *root, *helper, *entry;
	int r;

	if (json_parse(text, n, NULL, &doc, e) < 0)
		return -1;
	root = json_root(doc);
	helper = best(json_get(root, "credHelpers"), host, repo);
	if (helper)
		return err_set(
			e, ENOTSUP,
			"it leaves %.80s to a credential helper, a program, which is not "
			"run; give --creds or an --authfile",
			host);
	entry = best(json_get(root, "auths"), host, repo);
	if (!entry)
		return 0;
	r = from_entry(entry, out, e);
	if (r < 0)
		return err_wrap(e, "auths: %.80s", host);
	if (r == 0 && json_str_or(root, "credsStore", NULL))
		return err_set(e, ENOTSUP,
			       "it leaves %.80s to a credential store, a program, which is not "
			       "run; give --creds or an --authfile",
			       host);
	return r;
}

/* must: a file that was asked for has to be there. */
static int from_file(const char *path, bool must, const char *host, const char *repo,
		     struct credentials *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(FILE_MAX);
	struct err why = ERR_NONE;
	int r;

	if (fd_read_file(AT_FDCWD, path, FILE_MAX, &text, &why) < 0) {
		if (!must && (why.code == ENOENT || why.code == ENOTDIR || why.code == EACCES))
			return 0;
		*e = why;
		return -1;
	}
	r = credentials_from_json((const char *) buf_bytes(&text), buf_len(&text), host, repo,
				  out, e);
	if (buf_len(&text) > 0)
		OPENSSL_cleanse(text.data, buf_len(&text));
	return r < 0 ? err_wrap(e, "%s", path) : r;
}

static char *below(const char *variable, const char *name)
{
	const char *dir = getenv(variable);

	return dir && dir[0] == '/' ? xasprintf("%s/%s", dir, name) : NULL;
}

int credentials_find(const char *file, const char *host, const char *repo,
		     struct credentials *out, struct err *e)
{
	const char *set_file = getenv("REGISTRY_AUTH_FILE");
	int r = 0;

	*out = (struct credentials){ 0 };
	if (!file && set_file && *set_file)
		file = set_file;
	if (file)
		return from_file(file, true, host, repo, out, e) < 0 ? -1 : 0;
	char *places[] = {
		below("XDG_RUNTIME_DIR", "containers/auth.json"),
		xasprintf("/run/containers/%u/auth.json", (unsigned) geteuid()),
		below("HOME", ".config/containers/auth.json"),
		getenv("DOCKER_CONFIG") ? below("DOCKER_CONFIG", "config.json")
					: below("HOME", ".docker/config.json"),
	};
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (r == 0 && places[i])
			r = from_file(places[i], false, host, repo, out, e);
		free(places[i]);
	}
	return r < 0 ? -1 : 0;
}
