#include "runtime/sysctl.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/ns.h"
#include "runtime/procfs.h"

enum { KEY_MAX = 255, VALUE_MAX = 4096 };

/* Everything that belongs to a namespace. What is not here is the host's and refused. */
static const struct {
	const char *key; /* a trailing '/' allows everything below */
	enum ns_kind ns;
	const char *instead; /* the spec's own field, when there is one */
} allowed[] = {
	{ "kernel/msgmax", NS_IPC, NULL },     { "kernel/msgmnb", NS_IPC, NULL },
	{ "kernel/msgmni", NS_IPC, NULL },     { "kernel/sem", NS_IPC, NULL },
	{ "kernel/shmall", NS_IPC, NULL },     { "kernel/shmmax", NS_IPC, NULL },
	{ "kernel/shmmni", NS_IPC, NULL },     { "kernel/shm_rmid_forced", NS_IPC, NULL },
	{ "fs/mqueue/", NS_IPC, NULL },	       { "net/", NS_NET, NULL },
	{ "kernel/domainname", NS_UTS, NULL }, { "kernel/hostname", NS_UTS, "hostname" },
};

/* "net.ipv4.ip_forward" and "net/ipv4/ip_forward" are the same key; with slashes, dots are part of names
 * ("net/ipv4/conf/eth0.1/forwarding"). The first separator decides, as in sysctl(8). */
static int key_to_path(const char *key, char out[KEY_MAX + 1], struct err *e)
{
	const char *first = strpbrk(key, "./");
	const bool dots = first && *first == '.';

	if (str_copy(out, KEY_MAX + 1, key, "linux.sysctl: key", e) < 0)
		return -1;
	for (char *p = out; *p; p++) {
		if (dots && *p == '.')
			*p = '/';
		else if (dots && *p == '/')
			*p = '.';
		else if (!isalnum((unsigned char) *p) && !strchr("./_-:@", *p))
			return err_set(
				e, EINVAL,
				"linux.sysctl: key \"%s\" has a character that no key has",
				key);
	}
	/* No component may be empty or climb. */
	const char *c = out;
	for (;;) {
		const size_t n = strcspn(c, "/");

		if (n == 0 || (n == 1 && c[0] == '.') || (n == 2 && c[0] == '.' && c[1] == '.'))
			return err_set(e, EINVAL, "linux.sysctl: key \"%s\" is not a key", key);
		if (c[n] == '\0')
			return 0;
		c += n + 1;
	}
}

/* One line of text: a second one, or a NUL, has no place in a number or a list. */
static int check_value(const struct sysctl_pair *p, struct err *e)
{
	const size_t n = strlen(p->value);

	if (n > VALUE_MAX)
		return err_set(e, E2BIG, "linux.sysctl: value of %s is longer than %d bytes",
			       p->key, VALUE_MAX);
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char) p->value[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return err_set(e, EINVAL,
				       "linux.sysctl: value of %s has a control character",
				       p->key);
	}
	return 0;
}

static int check_pair(const struct sysctl_pair *p, const struct ns_spec *ns, struct err *e)
{
	char path[KEY_MAX + 1];

	if (key_to_path(p->key, path, e) < 0 || check_value(p, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		const bool tree = str_has_suffix(allowed[i].key, "/");

		if (tree ? !str_has_prefix(path, allowed[i].key)
			 : strcmp(path, allowed[i].key) != 0)
			continue;
		if (allowed[i].instead)
			return err_set(e, EINVAL, "linux.sysctl: %s is set by the field \"%s\"",
				       p->key, allowed[i].instead);
		if (!ns_has(ns, allowed[i].ns))
			return err_set(
				e, EINVAL,
				"linux.sysctl: %s needs a %s namespace of the container's own",
				p->key, ns_oci_name(allowed[i].ns));
		return 0;
	}
	return err_set(
		e, EINVAL,
		"linux.sysctl: %s is not in a separate kernel namespace, it would change the host",
		p->key);
}

int sysctl_check(const struct sysctl_pair *pairs, size_t n, const struct ns_spec *ns,
		 struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (check_pair(&pairs[i], ns, e) < 0)
			return -1;
	}
	return 0;
}

int sysctl_apply(const struct sysctl_pair *pairs, size_t n, int proc_fd, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		char path[KEY_MAX + 1];
		auto_free char *file = NULL;

		if (key_to_path(pairs[i].key, path, e) < 0)
			return -1;
		file = xasprintf("sys/%s", path);
		if (procfs_write(proc_fd, file, pairs[i].value, e) < 0)
			return err_wrap(e, "linux.sysctl %s", pairs[i].key);
	}
	return 0;
}
