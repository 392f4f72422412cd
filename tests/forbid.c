/*
 * Runs a command as on a kernel that lacks some system calls, or where a filter refuses them: each answers with ENOSYS, or
 * with the error that is named.
 *
 *   forbid NAME[=ERRNO]... -- COMMAND [ARG...]
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned number;
} calls[] = {
	{ "open_tree", SYS_open_tree },
	{ "move_mount", SYS_move_mount },
	{ "fsopen", SYS_fsopen },
	{ "fsconfig", SYS_fsconfig },
	{ "fsmount", SYS_fsmount },
	{ "mount_setattr", SYS_mount_setattr },
	{ "openat2", SYS_openat2 },
	{ "clone3", SYS_clone3 },
	{ "close_range", SYS_close_range },
	{ "keyctl", SYS_keyctl },
	{ "pidfd_open", SYS_pidfd_open },
	{ "pidfd_send_signal", SYS_pidfd_send_signal },
	{ "pidfd_getfd", SYS_pidfd_getfd },
	{ "statx", SYS_statx },
	{ "faccessat2", SYS_faccessat2 },
	{ "execveat", SYS_execveat },
	{ "memfd_create", SYS_memfd_create },
	{ "seccomp", SYS_seccomp },
	{ "setns", SYS_setns },
	{ "unshare", SYS_unshare },
	{ "pivot_root", SYS_pivot_root },
	{ "prctl", SYS_prctl },
	{ "capset", SYS_capset },
	{ "setgroups", SYS_setgroups },
	{ "setresuid", SYS_setresuid },
	{ "mknodat", SYS_mknodat },
	{ "sethostname", SYS_sethostname },
	{ "prlimit64", SYS_prlimit64 },
};
static const struct {
	const char *name;
	unsigned number;
} errors[] = {
	{ "ENOSYS", ENOSYS }, { "EPERM", EPERM }, { "EACCES", EACCES }, { "ENOMEM", ENOMEM }
};
enum { CALLS = sizeof(calls) / sizeof(calls[0]), INSNS_MAX = 2 * CALLS + 2 };

static int find_call(const char *name, size_t n)
{
	for (int i = 0; i < CALLS; i++) {
		if (strlen(calls[i].name) == n && strncmp(calls[i].name, name, n) == 0)
			return i;
	}
	return -1;
}

static unsigned find_error(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].number;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sock_filter insns[INSNS_MAX] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	unsigned short n = 1;
	int i = 1;

	for (; i < argc && strcmp(argv[i], "--") != 0 && n + 3 <= INSNS_MAX; i++) {
		const size_t length = strcspn(argv[i], "=");
		const int c = find_call(argv[i], length);
		const unsigned error =
			argv[i][length] ? find_error(argv[i] + length + 1) : ENOSYS;

		if (c < 0 || error == 0) {
			fprintf(stderr, "forbid: unknown call or error: %s\n", argv[i]);
			return 2;
		}
		insns[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							   calls[c].number, 0, 1);
		insns[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K,
							   SECCOMP_RET_ERRNO | error);
	}
	insns[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (i + 1 >= argc) {
		fprintf(stderr, "usage: forbid NAME[=ERRNO]... -- COMMAND [ARG...]\n");
		return 2;
	}

	const struct sock_fprog p = { n, insns };
	/* As root without no_new_privs: the command may be a runtime that gives up rights by itself. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) < 0) {
		perror("forbid: seccomp");
		return 2;
	}
	(void) execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
