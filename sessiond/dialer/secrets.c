#include "sessiond/dialer/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "sessiond/dialer/config.h"
#include "sessiond/outbound/tls.h"

/* Who else may read it could take this host's place. */
static int check_private(const char *what, const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "%s %s", what, path);
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		return err_set(e, EACCES, "%s %s: others may read or change it; chmod 600 it",
			       what, path);
	return 0;
}

/* The first line, of bytes from `least` to 0x7e. out: n_max + 1 bytes. */
static int read_line(const char *what, const char *path, uint8_t least, char *out, size_t n_max,
		     struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(n_max + 2);
	size_t n;

	if (check_private(what, path, e) < 0)
		return -1;
	if (fd_read_file(AT_FDCWD, path, n_max + 2, &text, e) < 0)
		return err_wrap(e, "%s", what);
	n = strcspn(buf_str(&text), "\r\n");
	for (size_t i = 0; i < n; i++)
		if (buf_bytes(&text)[i] < least || buf_bytes(&text)[i] > 0x7e)
			n = 0;
	if (n == 0 || n > n_max)
		return err_set(e, EINVAL,
			       "%s %s: its first line is not 1 to %zu printable characters",
			       what, path, n_max);
	memcpy(out, buf_bytes(&text), n);
	out[n] = 0;
	OPENSSL_cleanse(text.data, text.cap);
	return 0;
}

static int read_proxy_auth(const char *path, char *out, struct err *e)
{
	char line[PROXY_AUTH_MAX + 1];
	int r = read_line("proxy_auth_file", path, 0x20, line, PROXY_AUTH_MAX, e);

	if (r == 0 && !strchr(line, ':'))
		r = err_set(e, EINVAL,
			    "proxy_auth_file %s: its first line is not user:password", path);
	if (r == 0)
		(void) EVP_EncodeBlock((unsigned char *) out, (const unsigned char *) line,
				       (int) strlen(line));
	OPENSSL_cleanse(line, sizeof(line));
	return r;
}

static int load(const struct dialer_config *c, struct secrets *s, struct err *e)
{
	const struct tls_client_files files = { c->ca_file, c->certificate, c->key };

	if (read_line("token file", c->token_file, 0x21, s->token, TOKEN_MAX, e) < 0)
		return -1;
	if (c->proxied && c->proxy_auth_file &&
	    read_proxy_auth(c->proxy_auth_file, s->proxy_auth, e) < 0)
		return -1;
	if (c->key && check_private("key", c->key, e) < 0)
		return -1;
	return c->url.tls ? tls_client(&files, &s->ssl, e) : 0;
}

int secrets_load(const struct dialer_config *c, struct secrets *out, struct err *e)
{
	struct secrets s = { 0 };

	if (load(c, &s, e) < 0) {
		secrets_fini(&s);
		return -1;
	}
	secrets_fini(out);
	*out = s;
	OPENSSL_cleanse(&s, sizeof(s));
	return 0;
}

void secrets_fini(struct secrets *s)
{
	tls_free(s->ssl);
	OPENSSL_cleanse(s, sizeof(*s));
}
