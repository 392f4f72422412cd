#include "images/registries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"

static const char etc_file[] = "/etc/carrel/registries.yaml";

static const struct json_field entry_fields[] = {
	{ "plain", json_decode_bool, offsetof(struct registry_entry, plain), 0 },
	{ "ca", json_decode_str, offsetof(struct registry_entry, ca), 0 },
	{ "mirrors", json_decode_strv, offsetof(struct registry_entry, mirrors), 0 },
};

/* HOST or HOST/PREFIX. */
static int check_mirror(const struct json_at *at, const char *mirror, struct err *e)
{
	auto_free char *host = xstrdup(mirror);
	char *slash = strchr(host, '/');
	struct err why = ERR_NONE;

	if (slash)
		*slash = '\0';
	if (reference_check_host(host, &why) < 0 ||
	    (slash && reference_check_repo(slash + 1, &why) < 0))
		return json_err(at, e, "mirrors: %s", why.msg);
	return 0;
}

static int check_entry(const struct json_at *at, const struct registry_entry *v, struct err *e)
{
	struct err why = ERR_NONE;

	if (reference_check_host(v->host, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	if (v->ca && v->ca[0] != '/')
		return json_err(at, e, "ca: '%.80s' is no absolute path", v->ca);
	if (v->plain && v->ca)
		return json_err(at, e, "plain and ca exclude each other");
	if (v->mirrors && strv_len((char *const *) v->mirrors) > REGISTRIES_MIRRORS)
		return json_err(at, e, "mirrors: more than %d", REGISTRIES_MIRRORS);
	for (size_t i = 0; v->mirrors && v->mirrors[i]; i++) {
		if (check_mirror(at, v->mirrors[i], e) < 0)
			return -1;
	}
	return 0;
}

static int decode_registries(const struct json *v, const struct json_at *at, void *out,
			     struct err *e)
{
	struct registries *r = out;

	if (v->type != JSON_OBJECT)
		return json_err(at, e, "a mapping of hosts is expected");
	r->v = calloc(v->count + 1, sizeof(*r->v));
	if (!r->v)
		return json_err(at, e, "no memory");
	json_each (it, v) {
		const struct json_at here = { .up = at, .name = it->key };
		struct registry_entry *en = &r->v[r->n++];

		en->host = it->key;
		if (json_decode_object(it, &here, entry_fields, ARRAY_SIZE(entry_fields),
				       JSON_UNKNOWN_REJECT, en, e) < 0 ||
		    check_entry(&here, en, e) < 0)
			return -1;
	}
	return 0;
}

static const struct json_field fields[] = {
	{ "default", json_decode_str, offsetof(struct registries, default_host),
	  JSON_NULL_IS_ABSENT },
	{ "registries", decode_registries, 0, JSON_NULL_IS_ABSENT },
};

static int decode(struct registries *r, struct err *e)
{
	const struct json *root = json_root(r->doc);

	if (root->type == JSON_NULL) /* nothing but comments */
		return 0;
	if (json_decode_object(root, NULL, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_REJECT, r,
			       e) < 0)
		return -1;
	return r->default_host ? reference_check_host(r->default_host, e) : 0;
}

static int finish(struct registries *r, struct registries *out, struct err *e)
{
	if (decode(r, e) < 0) {
		registries_fini(r);
		return -1;
	}
	*out = *r;
	return 0;
}

int registries_parse(const char *text, size_t n, struct registries *out, struct err *e)
{
	struct registries r = { 0 };

	if (yaml_parse(text, n, &r.doc, e) < 0)
		return -1;
	return finish(&r, out, e);
}

int registries_load(const char *file, const char *prefix, struct registries *out, struct err *e)
{
	auto_free char *shared = xasprintf("%s/share/carrel/registries.yaml", prefix);
	struct registries r = { 0 };

	if (!file && access(etc_file, F_OK) == 0)
		file = etc_file;
	if (!file && access(shared, F_OK) == 0)
		file = shared;
	if (!file) {
		*out = r;
		return 0;
	}
	if (yaml_parse_file(AT_FDCWD, file, &r.doc, e) < 0)
		return -1;
	return finish(&r, out, e) < 0 ? err_wrap(e, "%s", file) : 0;
}

void registries_fini(struct registries *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i].mirrors);
	free(r->v);
	json_doc_free(r->doc);
	*r = (struct registries){ 0 };
}

static const struct registry_entry *find(const struct registries *r, const char *host)
{
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->v[i].host, host) == 0)
			return &r->v[i];
	}
	return NULL;
}

static void fill(const struct registries *r, const char *host, struct endpoint *out)
{
	const struct registry_entry *en = find(r, host);
	/* The one registry whose API is not where its name says. */
	const char *api = strcmp(host, "docker.io") == 0 ? "registry-1.docker.io" : host;

	snprintf(out->host, sizeof(out->host), "%s", api);
	out->key = en ? en->host : NULL;
	out->plain = en && en->plain;
	out->ca = en ? en->ca : NULL;
}

static bool fill_mirror(const struct registries *r, const char *mirror,
			const struct reference *ref, struct endpoint *out)
{
	auto_free char *host = xstrdup(mirror);
	char *slash = strchr(host, '/');
	int n;

	*out = (struct endpoint){ .mirror = true };
	if (slash)
		*slash = '\0';
	fill(r, host, out);
	out->key = mirror; /* as far as its host, which the credentials' search cuts off */
	n = snprintf(out->repo, sizeof(out->repo), "%s%s%s", slash ? slash + 1 : "",
		     slash ? "/" : "", ref->repo);
	return n < (int) sizeof(out->repo);
}

size_t registries_endpoints(const struct registries *r, const struct reference *ref,
			    struct endpoint *out)
{
	const struct registry_entry *en = find(r, ref->host);
	size_t n = 0;

	for (size_t i = 0; en && en->mirrors && en->mirrors[i]; i++)
		n += fill_mirror(r, en->mirrors[i], ref, &out[n]);
	out[n] = (struct endpoint){ 0 };
	fill(r, ref->host, &out[n]);
	out[n].key = ref->host;
	snprintf(out[n].repo, sizeof(out[n].repo), "%s", ref->repo);
	return n + 1;
}
