/*
 * config/seccomp.json, the profile of our own sandboxes: what it must refuse and what it must let pass, by our compiler
 * and by libseccomp's, which other runtimes use. Run from the top of the source tree.
 */
#include "tests/unit/bpf_run.h"

#include <linux/audit.h>
#include <linux/futex.h>
#include <seccomp.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_impl.h"
#include "runtime/spec.h"

struct both {
	struct spec *spec;
	struct filter_program ours;
	struct bpf_code lib;
};

static struct bpf_code by_libseccomp(const struct filter_spec *s)
{
	scmp_filter_ctx ctx = seccomp_init(s->default_action);

	for (size_t i = 0; i < s->n_rules; i++)
		for (const char *const *n = s->rules[i].names; *n; n++) {
			const struct filter_rule *r = &s->rules[i];
			struct scmp_arg_cmp cmp[6];
			int nr = filter_syscall_number(SCMP_ARCH_X86_64, *n);

			for (size_t k = 0; k < r->n_args; k++)
				cmp[k] = (struct scmp_arg_cmp){
					r->args[k].index, (enum scmp_compare) r->args[k].op,
					r->args[k].value, r->args[k].value_two
				};
			if (nr >= 0)
				assert_int_equal(seccomp_rule_add_array(ctx, r->action, nr,
									(unsigned) r->n_args,
									cmp),
						 0);
		}
	return bpf_export(ctx);
}

static int setup(void **state)
{
	static const char before[] =
		"{\"ociVersion\":\"1.0.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"x\"]},"
		"\"root\":{\"path\":\"/\"},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"seccomp\":";
	auto_buf struct buf text = BUF_LIMIT(1 << 20);
	struct both *b = xalloc(sizeof(*b));

	assert_ok(buf_puts(&text, before, &e));
	assert_ok(fd_read_file(AT_FDCWD, "config/seccomp.json", 1 << 19, &text, &e));
	assert_ok(buf_puts(&text, "}}", &e));
	assert_ok(spec_parse(buf_str(&text), buf_len(&text), &b->spec, &e));
	assert_ok(filter_compile(&b->spec->seccomp, -1, &b->ours, &e));
	b->lib = by_libseccomp(&b->spec->seccomp);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct both *b = *state;

	filter_program_fini(&b->ours);
	spec_free(b->spec);
	free(b->lib.v);
	free(b);
	return 0;
}

/* The verdict, when both programs agree. */
static uint32_t ask(const struct both *b, const char *name, uint64_t a0, uint64_t a1,
		    uint64_t a2)
{
	const struct bpf_code ours = { b->ours.insns, b->ours.n };
	struct seccomp_data d = { .nr = filter_syscall_number(SCMP_ARCH_X86_64, name),
				  .arch = AUDIT_ARCH_X86_64,
				  .args = { a0, a1, a2 } };
	uint32_t v = bpf_run(&ours, &d);

	if (v != bpf_run(&b->lib, &d))
		fail_msg("%s %llx %llx %llx: 0x%x, libseccomp 0x%x", name, (long long) a0,
			 (long long) a1, (long long) a2, v, bpf_run(&b->lib, &d));
	return v;
}

#define assert_allowed(...) assert_int_equal(ask(*state, __VA_ARGS__), SCMP_ACT_ALLOW)
#define assert_denied(...)  assert_int_equal(ask(*state, __VA_ARGS__), SCMP_ACT_ERRNO(EPERM))
#define assert_absent(...)  assert_int_equal(ask(*state, __VA_ARGS__), SCMP_ACT_ERRNO(ENOSYS))

/* clang-format off */
static const char *const denied[] = {
	"acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime",
	"create_module", "delete_module", "fanotify_init", "finit_module", "get_kernel_syms",
	"get_mempolicy", "init_module", "ioperm", "iopl", "io_setup", "io_submit", "kcmp", "kexec_file_load", "kexec_load",
	"keyctl", "lookup_dcookie", "mbind", "migrate_pages", "modify_ldt", "mount", "move_pages",
	"name_to_handle_at", "nfsservctl", "open_by_handle_at", "perf_event_open", "pivot_root",
	"process_vm_readv", "process_vm_writev", "ptrace", "query_module", "quotactl", "reboot",
	"request_key", "setdomainname", "sethostname", "set_mempolicy", "setns", "settimeofday",
	"swapoff", "swapon", "syslog", "umount2", "uselib", "userfaultfd", "ustat", "vhangup",
	"vmsplice",
};
static const char *const absent[] = {
	"clone3", "fsconfig", "fsmount", "fsopen", "fspick", "io_uring_enter", "io_uring_register",
	"io_uring_setup", "listmount", "memfd_secret", "mount_setattr", "move_mount", "open_tree",
	"open_tree_attr", "pidfd_getfd", "process_madvise", "quotactl_fd", "statmount",
};
static const char *const allowed[] = {
	"read", "write", "openat", "openat2", "execve", "fork", "vfork", "wait4", "exit_group",
	"statx", "faccessat2", "fchmodat2", "close_range", "pidfd_open", "rseq", "membarrier",
	"getrandom", "epoll_pwait2", "inotify_add_watch", "memfd_create", "renameat2", "mseal",
	"futex_waitv", "cachestat", "landlock_restrict_self", "setresuid", "capget", "prlimit64",
};
/* clang-format on */

static void test_lists(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		assert_denied(denied[i], 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
		assert_absent(absent[i], 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		assert_allowed(allowed[i], 0, 0, 0);
}

static void test_namespaces(void **state)
{
	for (int bit = 0; bit < 32; bit++) {
		const uint64_t flag = 1ull << bit;
		const bool ns = flag & 0x7e020000;

		if (ns) {
			assert_denied("clone", flag | 17, 0, 0);
			assert_denied("clone", flag | 0x500000000, 0, 0);
		} else {
			assert_allowed("clone", flag, 0, 0);
		}
		if (ns || flag == 0x80)
			assert_denied("unshare", flag, 0, 0);
		else
			assert_allowed("unshare", flag, 0, 0);
	}
	/* Threads, as glibc and Go make them. */
	assert_allowed("clone", 0x3d0f00, 0, 0);
	assert_allowed("clone", 0x1200011, 0, 0);
}

static void test_sockets(void **state)
{
	/* The kernel takes 32 bits of these, so what stands above must make no difference. */
	static const uint64_t above[] = { 0, 1ull << 32, 0xdeadbeef00000000 };

	for (uint64_t family = 0; family < 64; family++)
		for (uint64_t protocol = 0; protocol < 300; protocol++) {
			bool v4 = protocol == 0 || protocol == 1 || protocol == 6 ||
				  protocol == 17;
			bool v6 = protocol == 0 || protocol == 6 || protocol == 17 ||
				  protocol == 58;
			bool good = family == AF_UNIX || (family == AF_INET && v4) ||
				    (family == AF_INET6 && v6) ||
				    (family == AF_NETLINK && !protocol);
			uint64_t high = above[(family + protocol) % 3];

			if (good)
				assert_allowed("socket", family | high, SOCK_STREAM,
					       protocol | high);
			else
				assert_denied("socket", family | high, SOCK_STREAM,
					      protocol | high);
		}
	assert_allowed("socketpair", AF_UNIX, SOCK_STREAM, 0);
	assert_denied("socketpair", 30, SOCK_STREAM, 0);
}

static void test_setsockopt(void **state)
{
	for (uint64_t option = 0; option < 256; option++)
		for (uint64_t level = 0; level < 8; level++)
			if (option == 31)
				assert_denied("setsockopt", 3, level, option);
			else
				assert_allowed("setsockopt", 3, level, option);
	/* TCP_ULP with a high half that the kernel does not look at. */
	assert_denied("setsockopt", 3, 6, 31 | 1ull << 32);
	assert_denied("setsockopt", 3, 6 | 1ull << 32, 31);
}

/* By the type byte; of terminals' all but three. Size and direction above it, and the half above that, which the
 * kernel does not look at, make no difference. */
static void test_ioctl(void **state)
{
	static const uint64_t above[] = { 0, 0x80040000, 0xc0200000, 0x100000000,
					  0xffffffffffff0000 };
	static const uint64_t terminal[] = { 0x5401, 0x5402, 0x540e, 0x540f,	 0x5410,
					     0x5413, 0x5414, 0x541b, 0x5420,	 0x5421,
					     0x5441, 0x5450, 0x5451, 0x80045430, 0x40045431 };

	for (uint64_t v = 0; v < 0x10000; v++) {
		uint64_t type = v >> 8, high = above[v % ARRAY_SIZE(above)];
		bool tty = type == 0x54 && v != 0x5412 && v != 0x541c && v != 0x5423;

		if (tty || type == 0 || type == 'R' || type == 'f' || type == 'v' ||
		    type == 0x89 || type == 0x94)
			assert_allowed("ioctl", 0, v | high, 0);
		else
			assert_denied("ioctl", 0, v | high, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(terminal); i++)
		assert_allowed("ioctl", 0, terminal[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(above); i++) {
		assert_denied("ioctl", 0, 0x5412 | above[i], 0);
		assert_denied("ioctl", 0, 0x541c | above[i], 0);
		assert_denied("ioctl", 0, 0x5423 | above[i], 0);
	}
}

static void test_futex(void **state)
{
	const unsigned good[] = { FUTEX_WAIT,	     FUTEX_WAKE,    FUTEX_REQUEUE,
				  FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_WAIT_BITSET,
				  FUTEX_WAKE_BITSET };
	unsigned seen = 0;

	for (unsigned op = 0; op < 32; op++) {
		bool is_good = false;

		for (size_t i = 0; i < ARRAY_SIZE(good); i++)
			is_good |= good[i] == op;
		seen += is_good;
		for (unsigned flags = 0; flags < 4; flags++)
			if (is_good)
				assert_allowed("futex", 0, op | flags << 7, 0);
			else
				assert_denied("futex", 0, op | flags << 7 | 0xabcull << 32, 0);
	}
	assert_int_equal(seen, ARRAY_SIZE(good));
}

static void test_the_rest(void **state)
{
	const struct both *b = *state;
	const struct bpf_code ours = { b->ours.insns, b->ours.n };
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64 };

	assert_allowed("personality", 0, 0, 0);
	assert_allowed("personality", 8, 0, 0);
	assert_allowed("personality", 0xffffffff, 0, 0);
	assert_denied("personality", 0x0040000, 0, 0);
	assert_denied("personality", 0x0400000, 0, 0);
	assert_allowed("mknod", 0, S_IFIFO | 0600, 0);
	assert_denied("mknod", 0, S_IFCHR | 0600, 0);
	assert_denied("mknodat", 0, 0, S_IFBLK | 0600);
	assert_allowed("seccomp", 1, 0, 0);
	assert_denied("seccomp", 1, 8, 0);
	/* Other architectures' entries, and numbers nobody has heard of. */
	for (d.nr = 500; d.nr < 600; d.nr++)
		assert_int_equal(bpf_run(&ours, &d), SCMP_ACT_ERRNO(ENOSYS));
	for (d.nr = FILTER_X32_BIT; d.nr < FILTER_X32_BIT + 600; d.nr++)
		assert_int_equal(bpf_run(&ours, &d), SCMP_ACT_KILL_THREAD);
	d.arch = AUDIT_ARCH_I386;
	for (d.nr = 0; d.nr < 500; d.nr++)
		assert_int_equal(bpf_run(&ours, &d), SCMP_ACT_KILL_THREAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),	 cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_sockets),	 cmocka_unit_test(test_setsockopt),
		cmocka_unit_test(test_ioctl),	 cmocka_unit_test(test_futex),
		cmocka_unit_test(test_the_rest),
	};

	return cmocka_run_group_tests_name("config/seccomp.json", tests, setup, teardown);
}
