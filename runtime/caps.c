#include "runtime/caps.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/err.h"
#include "base/util.h"

/* By number. The table is ours, not libcap's, because it must name capabilities that are newer than the
 * libcap of the machine that built us. */
static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
	NULL,
};
enum { CAP_COUNT = ARRAY_SIZE(names) - 1 };

const char *const *caps_names(void)
{
	return names;
}

int caps_parse(const char *name, uint64_t *bit)
{
	for (unsigned n = 0; n < CAP_COUNT; n++) {
		if (strcasecmp(names[n], name) == 0) {
			*bit = UINT64_C(1) << n;
			return 0;
		}
	}
	return 1;
}

/* Sets travel as two 32-bit halves. */
static int get_own(struct __user_cap_data_struct d[2], struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	if (capget(&h, d) < 0)
		return err_sys(e, "capget");
	return 0;
}

uint64_t caps_clip_to_own(struct caps_spec *s)
{
	struct __user_cap_data_struct d[2] = { 0 };
	struct err ignored = ERR_NONE;

	if (get_own(d, &ignored) < 0)
		return 0;
	const uint64_t own = d[0].permitted | (uint64_t) d[1].permitted << 32;
	const uint64_t dropped =
		(s->bounding | s->effective | s->permitted | s->inheritable | s->ambient) &
		~own;

	s->bounding &= own;
	s->effective &= own;
	s->permitted &= own;
	s->inheritable &= own;
	s->ambient &= own;
	return dropped;
}

bool caps_holds(unsigned number)
{
	struct __user_cap_data_struct d[2] = { 0 };
	struct err ignored = ERR_NONE;

	return get_own(d, &ignored) == 0 && (d[number / 32].effective & 1u << number % 32);
}

int caps_apply_bounding(const struct caps_spec *s, struct err *e)
{
	for (unsigned n = 0; n < 64; n++) {
		if (s->bounding & UINT64_C(1) << n)
			continue;
		if (prctl(PR_CAPBSET_DROP, n, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL) /* beyond the kernel's last one */
			break;
		/* Without CAP_SETPCAP nothing can be dropped; that matters only for what is there. */
		if (errno == EPERM && prctl(PR_CAPBSET_READ, n, 0, 0, 0) == 0)
			continue;
		return err_sys(e, "drop %s from the bounding set",
			       n < CAP_COUNT ? names[n] : "a capability");
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(e, "keep capabilities over the change of user");
	return 0;
}

static int raise_ambient(uint64_t set, struct err *e)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(e, "clear ambient capabilities");
	for (unsigned n = 0; n < CAP_COUNT; n++) {
		if (!(set & UINT64_C(1) << n))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0) < 0)
			return err_sys(e, "can't raise ambient capability %s", names[n]);
	}
	return 0;
}

int caps_apply(const struct caps_spec *s, struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ .effective = (uint32_t) s->effective,
		  .permitted = (uint32_t) s->permitted,
		  .inheritable = (uint32_t) s->inheritable },
		{ .effective = (uint32_t) (s->effective >> 32),
		  .permitted = (uint32_t) (s->permitted >> 32),
		  .inheritable = (uint32_t) (s->inheritable >> 32) },
	};

	if (capset(&h, d) < 0)
		return err_sys(e, "capset");
	if (raise_ambient(s->ambient, e) < 0)
		return -1;
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return err_sys(e, "clear keepcaps");
	return 0;
}
