/* The system call filter's front: what a profile may say, compiling it with the cache, loading it. */
#include "runtime/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/util.h"
#include "runtime/seccomp_impl.h"

unsigned filter_flags_supported(void)
{
	/* Without a program the kernel gets as far as reading it (EFAULT) only when it knows the flag. */
	static const unsigned all[] = {
		SECCOMP_FILTER_FLAG_TSYNC,
		SECCOMP_FILTER_FLAG_LOG,
		SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		FILTER_FLAG_WAIT_KILLABLE | SECCOMP_FILTER_FLAG_NEW_LISTENER,
	};
	unsigned known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, all[i], NULL) < 0 &&
		    errno == EFAULT)
			known |= all[i];
	}
	return known & ~(unsigned) SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

void filter_program_fini(struct filter_program *p)
{
	free(p->insns);
	*p = (struct filter_program){ 0 };
}

char *filter_library_version(void)
{
	const struct scmp_version *v = seccomp_version();

	return v ? xasprintf("%u.%u.%u", v->major, v->minor, v->micro) : xstrdup("unknown");
}

static bool is_notify(uint32_t action)
{
	return action == SCMP_ACT_NOTIFY;
}

static int check_rule(const struct filter_rule *r, struct err *e)
{
	for (size_t i = 0; i < r->n_args; i++) {
		if (r->args[i].index > 5)
			return err_set(
				e, EINVAL,
				"linux.seccomp.syscalls: \"%s\": argument index %u is larger "
				"than 5",
				r->names[0] ? r->names[0] : "", r->args[i].index);
		if (r->args[i].op < SCMP_CMP_NE || r->args[i].op > SCMP_CMP_MASKED_EQ)
			return err_set(e, EINVAL, "linux.seccomp.syscalls: \"%s\": no operator",
				       r->names[0] ? r->names[0] : "");
	}
	/* The notified process tells its parent by write(2) where the listener is: it would wait for itself. */
	for (const char *const *name = r->names; is_notify(r->action) && *name; name++)
		if (strcmp(*name, "write") == 0)
			return err_set(
				e, EINVAL,
				"linux.seccomp.syscalls: SCMP_ACT_NOTIFY cannot be used for the "
				"write syscall");
	return 0;
}

/* By the name alone: a call that only other architectures have is known. */
static int check_names(const struct filter_rule *r, struct err *e)
{
	for (const char *const *name = r->names; name && *name; name++) {
		if (filter_syscall_number(seccomp_arch_native(), *name) == __NR_SCMP_ERROR)
			return err_set(
				e, EINVAL,
				"linux.seccomp.syscalls: there is no system call \"%.40s\", "
				"and the annotation run.oci.seccomp_fail_unknown_syscall "
				"makes that an error",
				*name);
	}
	return 0;
}

int filter_check(const struct filter_spec *s, bool *notifies, struct err *e)
{
	*notifies = false;
	if (is_notify(s->default_action))
		return err_set(e, EINVAL,
			       "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as "
			       "default action");
	for (size_t i = 0; i < s->n_rules; i++) {
		if (check_rule(&s->rules[i], e) < 0 ||
		    (s->all_known && check_names(&s->rules[i], e) < 0))
			return -1;
		*notifies |= is_notify(s->rules[i].action);
	}
	if (*notifies && !s->listener_path)
		return err_set(e, EINVAL,
			       "linux.seccomp.listenerPath: must be given when a rule says "
			       "SCMP_ACT_NOTIFY");
	if (!*notifies && s->listener_metadata && !s->listener_path)
		return err_set(
			e, EINVAL,
			"linux.seccomp.listenerMetadata: needs linux.seccomp.listenerPath");
	return 0;
}

static int compile(const struct filter_spec *s, struct filter_program *out, struct err *e)
{
	auto_cleanup(filter_tables_fini) struct filter_tables t = { 0 };

	if (filter_tables_build(s, &t, e) < 0)
		return -1;
	return filter_generate(&t, out, e);
}

int filter_compile(const struct filter_spec *s, int cache_fd, struct filter_program *out,
		   struct err *e)
{
	struct filter_program p = { 0 };
	bool notifies, cached = false;

	if (filter_check(s, &notifies, e) < 0)
		return -1;
	if (cache_fd >= 0)
		cached = filter_cache_read(cache_fd, s, &p) == 1;
	if (!cached && compile(s, &p, e) < 0)
		return -1;
	if (cache_fd >= 0 && !cached)
		filter_cache_write(cache_fd, s, &p);
	/* There is one thread: nothing to synchronise with, and a listener excludes it. */
	p.flags = s->flags & ~(unsigned) SECCOMP_FILTER_FLAG_TSYNC;
	/* Means something only with a listener; without one the kernel refuses it. */
	if (!notifies)
		p.flags &= ~FILTER_FLAG_WAIT_KILLABLE;
	p.notifies = notifies;
	log_debug("seccomp filter flags: %u",
		  p.flags | (notifies ? (unsigned) SECCOMP_FILTER_FLAG_NEW_LISTENER : 0));
	*out = p;
	return 0;
}

int filter_load(const struct filter_program *p, int *listener_fd, struct err *e)
{
	struct sock_fprog prog = { .len = p->n, .filter = p->insns };
	unsigned flags = p->flags;
	long r;

	*listener_fd = -1;
	if (p->notifies)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r < 0) {
		int code = errno;

		err_sys(e, "load the seccomp filter (%u instructions, flags 0x%x)", p->n,
			flags);
		if (code == EACCES)
			return err_hint(e, "it needs process.noNewPrivileges or CAP_SYS_ADMIN");
		if (code == EINVAL && flags)
			return err_hint(e,
					"the kernel may not know one of linux.seccomp.flags");
		return -1;
	}
	/* The kernel makes the listener close-on-exec. */
	if (p->notifies)
		*listener_fd = (int) r;
	return 0;
}
