/*
 * Who we are to a registry: from --creds, or from the files that docker and podman keep. Never logged, never part of
 * an error. Credential helpers, programs that would run with our rights, are not started but named in an error.
 */
#ifndef CARREL_IMAGES_CREDENTIALS_H
#define CARREL_IMAGES_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

struct err;

enum { CREDENTIALS_USER = 1024, CREDENTIALS_SECRET = 16384 };

struct credentials {
	char user[CREDENTIALS_USER];	 /* "": the secret, if any, is an identity token */
	char secret[CREDENTIALS_SECRET]; /* "": anonymous */
};

void credentials_fini(struct credentials *c);

/* host: as it is written in references ("docker.io"). file: only this one; NULL: $REGISTRY_AUTH_FILE alone if set,
 * else containers/auth.json below $XDG_RUNTIME_DIR, /run/containers/UID and ~/.config, then
 * $DOCKER_CONFIG/config.json or ~/.docker/config.json; the first that knows the registry. None: anonymous. */
int credentials_find(const char *file, const char *host, const char *repo,
		     struct credentials *out, struct err *e);

/* "USER:PASSWORD". */
int credentials_parse(const char *text, struct credentials *out, struct err *e);

/* One file's text: 1 when it knows the registry, 0 when not. The longest matching "HOST/REPOSITORY" key wins. */
int credentials_from_json(const char *text, size_t n, const char *host, const char *repo,
			  struct credentials *out, struct err *e);

#endif
