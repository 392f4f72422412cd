#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/util.h"
#include "runtime/mount.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

enum option_kind {
	IS_NOTHING, /* known and without effect */
	IS_ATTR,    /* set / clear of this mount */
	IS_ATIME,   /* likewise, and chooses among the ways of access times */
	IS_RATTR,   /* of this mount and all below */
	IS_SB,	    /* set / clear of the superblock's flags */
	IS_PROPAGATE,
	IS_EXTRA,
};

struct option {
	const char *name;
	enum option_kind kind;
	uint64_t set, clear;
};

/* The *atime choices exclude each other, so that each clears the whole field first; relatime is 0. */
#define ATIME MOUNT_ATTR__ATIME

/* clang-format off */
static const struct option options[] = {
	{ "acl",           IS_SB, MS_POSIXACL, 0 },
	{ "async",         IS_SB, 0, MS_SYNCHRONOUS },
	{ "atime",         IS_ATTR, 0, ATIME },
	{ "bind",          IS_EXTRA, MOUNT_BIND, MOUNT_RECURSIVE },
	{ "copy-symlink",  IS_EXTRA, MOUNT_COPY_SYMLINK, 0 },
	{ "defaults",      IS_NOTHING, 0, 0 },
	{ "dev",           IS_ATTR, 0, MOUNT_ATTR_NODEV },
	{ "diratime",      IS_ATTR, 0, MOUNT_ATTR_NODIRATIME },
	{ "dirsync",       IS_SB, MS_DIRSYNC, 0 },
	{ "exec",          IS_ATTR, 0, MOUNT_ATTR_NOEXEC },
	{ "idmap",         IS_EXTRA, MOUNT_IDMAP, MOUNT_IDMAP_RECURSIVE },
	{ "iversion",      IS_SB, MS_I_VERSION, 0 },
	{ "lazytime",      IS_SB, MS_LAZYTIME, 0 },
	{ "loud",          IS_SB, 0, MS_SILENT },
	{ "mand",          IS_SB, MS_MANDLOCK, 0 },
	{ "noacl",         IS_SB, 0, MS_POSIXACL },
	{ "noatime",       IS_ATIME, MOUNT_ATTR_NOATIME, ATIME },
	{ "nodev",         IS_ATTR, MOUNT_ATTR_NODEV, 0 },
	{ "nodiratime",    IS_ATIME, MOUNT_ATTR_NODIRATIME, 0 },
	{ "noexec",        IS_ATTR, MOUNT_ATTR_NOEXEC, 0 },
	{ "noiversion",    IS_SB, 0, MS_I_VERSION },
	{ "nolazytime",    IS_SB, 0, MS_LAZYTIME },
	{ "nomand",        IS_SB, 0, MS_MANDLOCK },
	{ "norelatime",    IS_ATTR, 0, ATIME },
	{ "nostrictatime", IS_ATTR, 0, ATIME },
	{ "nosuid",        IS_ATTR, MOUNT_ATTR_NOSUID, 0 },
	{ "nosymfollow",   IS_ATTR, MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "private",       IS_PROPAGATE, MS_PRIVATE, 0 },
	{ "ratime",        IS_RATTR, 0, ATIME },
	{ "rbind",         IS_EXTRA, MOUNT_BIND | MOUNT_RECURSIVE, 0 },
	{ "rdev",          IS_RATTR, 0, MOUNT_ATTR_NODEV },
	{ "rdiratime",     IS_RATTR, 0, MOUNT_ATTR_NODIRATIME },
	{ "relatime",      IS_ATIME, 0, ATIME },
	{ "remount",       IS_EXTRA, MOUNT_REMOUNT, 0 },
	{ "rexec",         IS_RATTR, 0, MOUNT_ATTR_NOEXEC },
	{ "ridmap",        IS_EXTRA, MOUNT_IDMAP | MOUNT_IDMAP_RECURSIVE, 0 },
	{ "rnoatime",      IS_RATTR, MOUNT_ATTR_NOATIME, ATIME },
	{ "rnodev",        IS_RATTR, MOUNT_ATTR_NODEV, 0 },
	{ "rnodiratime",   IS_RATTR, MOUNT_ATTR_NODIRATIME, 0 },
	{ "rnoexec",       IS_RATTR, MOUNT_ATTR_NOEXEC, 0 },
	{ "rnorelatime",   IS_RATTR, 0, ATIME },
	{ "rnostrictatime", IS_RATTR, 0, ATIME },
	{ "rnosuid",       IS_RATTR, MOUNT_ATTR_NOSUID, 0 },
	{ "rnosymfollow",  IS_RATTR, MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "ro",            IS_ATTR, MOUNT_ATTR_RDONLY, 0 },
	{ "rprivate",      IS_PROPAGATE, MS_PRIVATE | MS_REC, 0 },
	{ "rrelatime",     IS_RATTR, 0, ATIME },
	{ "rro",           IS_RATTR, MOUNT_ATTR_RDONLY, 0 },
	{ "rrw",           IS_RATTR, 0, MOUNT_ATTR_RDONLY },
	{ "rshared",       IS_PROPAGATE, MS_SHARED | MS_REC, 0 },
	{ "rslave",        IS_PROPAGATE, MS_SLAVE | MS_REC, 0 },
	{ "rstrictatime",  IS_RATTR, MOUNT_ATTR_STRICTATIME, ATIME },
	{ "rsuid",         IS_RATTR, 0, MOUNT_ATTR_NOSUID },
	{ "rsymfollow",    IS_RATTR, 0, MOUNT_ATTR_NOSYMFOLLOW },
	{ "runbindable",   IS_PROPAGATE, MS_UNBINDABLE | MS_REC, 0 },
	{ "rw",            IS_ATTR, 0, MOUNT_ATTR_RDONLY },
	{ "shared",        IS_PROPAGATE, MS_SHARED, 0 },
	{ "silent",        IS_SB, MS_SILENT, 0 },
	{ "slave",         IS_PROPAGATE, MS_SLAVE, 0 },
	{ "src-nofollow",  IS_EXTRA, MOUNT_SRC_NOFOLLOW, 0 },
	{ "strictatime",   IS_ATIME, MOUNT_ATTR_STRICTATIME, ATIME },
	{ "suid",          IS_ATTR, 0, MOUNT_ATTR_NOSUID },
	{ "symfollow",     IS_ATTR, 0, MOUNT_ATTR_NOSYMFOLLOW },
	{ "sync",          IS_SB, MS_SYNCHRONOUS, 0 },
	{ "tmpcopyup",     IS_EXTRA, MOUNT_TMPCOPYUP, 0 },
	{ "unbindable",    IS_PROPAGATE, MS_UNBINDABLE, 0 },
};

/* The same names for `features`: constant data, so that no table has to be built at run time. */
static const char *const option_names[] = {
	"acl", "async", "atime", "bind", "copy-symlink", "defaults", "dev", "diratime", "dirsync", "exec", "idmap",
	"iversion", "lazytime", "loud", "mand", "noacl", "noatime", "nodev", "nodiratime", "noexec",
	"noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow",
	"private", "ratime", "rbind", "rdev", "rdiratime", "relatime", "remount", "rexec", "ridmap",
	"rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime", "rnostrictatime", "rnosuid",
	"rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave",
	"rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw", "shared", "silent", "slave",
	"src-nofollow", "strictatime", "suid", "symfollow", "sync", "tmpcopyup", "unbindable", NULL,
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(options) + 1 == ARRAY_SIZE(option_names), "one name per option");

const char *const *mount_option_names(void)
{
	return option_names;
}

static const struct option *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].name[0] == name[0] && strcmp(options[i].name, name) == 0)
			return &options[i];
	}
	return NULL;
}

int mount_propagation_parse(const char *name, unsigned long *out, struct err *e)
{
	const struct option *o = find(name);

	if (!o || o->kind != IS_PROPAGATE)
		return err_set(e, EINVAL,
			       "\"%s\" is none of shared, slave, private, unbindable (or r...)",
			       name);
	*out = o->set;
	return 0;
}

void mount_spec_fini(struct mount_spec *m)
{
	free(m->data);
	m->data = NULL;
}

const char *mount_data_get(const struct mount_spec *m, const char *key)
{
	const size_t n = strlen(key);

	for (const char *p = m->data; p && *p; p += strcspn(p, ",")) {
		p += *p == ',';
		if (strncmp(p, key, n) == 0 && (p[n] == '=' || p[n] == ',' || p[n] == '\0'))
			return p + n + (p[n] == '=');
	}
	return NULL;
}

static void change(struct mount_attrs *a, const struct option *o)
{
	a->clear |= o->clear;
	a->set &= ~o->clear;
	a->set |= o->set;
	/* What was cleared by an earlier option and is set now stays set; the field of times is always
	 * cleared before it is set, as mount_setattr demands. */
	a->clear &= ~(o->set & ~(uint64_t) ATIME);
}

static int add_propagation(struct mount_spec *m, uint32_t flags, struct err *e)
{
	for (size_t i = 0; i + 1 < ARRAY_SIZE(m->propagation); i++) {
		if (m->propagation[i] == 0) {
			m->propagation[i] = flags;
			return 0;
		}
	}
	return err_set(e, EINVAL, "more than %zu propagation options",
		       ARRAY_SIZE(m->propagation) - 1);
}

static void add_data(struct mount_spec *m, const char *option)
{
	char *joined = m->data ? xasprintf("%s,%s", m->data, option) : xstrdup(option);

	free(m->data);
	m->data = joined;
}

static int parse_one(const char *text, struct mount_spec *m, struct err *e)
{
	const struct option *o = find(text);

	if (!o) {
		add_data(m, text);
		return 0;
	}
	switch (o->kind) {
	case IS_NOTHING:
		break;
	case IS_ATIME:
		m->extra |= MOUNT_ATIME;
		change(&m->attrs, o);
		break;
	case IS_ATTR:
		change(&m->attrs, o);
		break;
	case IS_RATTR:
		change(&m->rattrs, o);
		break;
	case IS_SB:
		m->sb_flags = (m->sb_flags & ~(uint32_t) o->clear) | (uint32_t) o->set;
		m->sb_clear = (m->sb_clear & ~(uint32_t) o->set) | (uint32_t) o->clear;
		break;
	case IS_PROPAGATE:
		return add_propagation(m, (uint32_t) o->set, e);
	case IS_EXTRA:
		m->extra = (m->extra & ~(unsigned) o->clear) | (unsigned) o->set;
		break;
	}
	return 0;
}

/* Combinations that could not be carried out as they read. */
static int check(const struct mount_spec *m, struct err *e)
{
	const bool bind = m->extra & MOUNT_BIND;
	const bool remount = m->extra & MOUNT_REMOUNT;
	const bool tmpfs = m->type && strcmp(m->type, "tmpfs") == 0;

	if (!bind && !remount && (!m->type || m->type[0] == '\0'))
		return err_set(e, EINVAL, "neither a type nor the option bind");
	if (bind && !remount && (!m->source || m->source[0] == '\0'))
		return err_set(e, EINVAL, "a bind without source");
	if ((m->extra & MOUNT_TMPCOPYUP) && (!tmpfs || bind))
		return err_set(e, EINVAL, "option tmpcopyup: only a tmpfs can have it");
	if ((m->extra & MOUNT_IDMAP) && !bind)
		return err_set(e, EINVAL, "option idmap: only a bind can have it");
	if ((m->extra & MOUNT_IDMAP) && remount)
		return err_set(e, EINVAL, "option idmap: cannot be added by a remount");
	if ((m->idmap.uid.n != 0) != (m->idmap.gid.n != 0))
		return err_set(e, EINVAL, "uidMappings and gidMappings must both be given");
	if (m->idmap.uid.n != 0 && !bind)
		return err_set(e, EINVAL, "uidMappings: only a bind can be idmapped");
	if ((m->extra & MOUNT_SRC_NOFOLLOW) && !bind)
		return err_set(e, EINVAL, "option src-nofollow: only a bind can have it");
	if ((m->extra & MOUNT_COPY_SYMLINK) && (!bind || remount))
		return err_set(e, EINVAL, "option copy-symlink: only a bind can have it");
	if (bind && !remount && m->data)
		return err_set(e, EINVAL, "option \"%s\" is unknown, or not for a bind",
			       m->data);
	return 0;
}

int mount_parse_options(const char *const *list, struct mount_spec *m, struct err *e)
{
	if (m->type && strcmp(m->type, "bind") == 0)
		m->extra |= MOUNT_BIND;
	if (m->type && strcmp(m->type, "rbind") == 0)
		m->extra |= MOUNT_BIND | MOUNT_RECURSIVE;
	for (; list && *list; list++) {
		if (parse_one(*list, m, e) < 0)
			return err_wrap(e, "options");
	}
	/* Mappings without the option mean it: an idmapped mount, as runtimes treat it. */
	if (m->idmap.uid.n != 0 && !(m->extra & MOUNT_IDMAP))
		m->extra |= MOUNT_IDMAP;
	return check(m, e);
}
