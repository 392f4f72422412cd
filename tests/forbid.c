/*
 * Runs a command as on a kernel that lacks some system calls: a filter answers them with ENOSYS.
 *
 *   forbid NAME... -- COMMAND [ARG...]
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
	{ "open_tree", SYS_open_tree },	    { "move_mount", SYS_move_mount },
	{ "fsopen", SYS_fsopen },	    { "fsconfig", SYS_fsconfig },
	{ "fsmount", SYS_fsmount },	    { "mount_setattr", SYS_mount_setattr },
	{ "openat2", SYS_openat2 },	    { "clone3", SYS_clone3 },
	{ "close_range", SYS_close_range }, { "keyctl", SYS_keyctl },
};
enum { CALLS = sizeof(calls) / sizeof(calls[0]), INSNS_MAX = 2 * CALLS + 2 };

static int find(const char *name)
{
	for (int i = 0; i < CALLS; i++) {
		if (strcmp(calls[i].name, name) == 0)
			return i;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct sock_filter insns[INSNS_MAX] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	unsigned short n = 1;
	int i = 1;

	for (; i < argc && strcmp(argv[i], "--") != 0 && n + 3 <= INSNS_MAX; i++) {
		const int c = find(argv[i]);

		if (c < 0) {
			fprintf(stderr, "forbid: unknown call %s\n", argv[i]);
			return 2;
		}
		insns[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							   calls[c].number, 0, 1);
		insns[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K,
							   SECCOMP_RET_ERRNO | ENOSYS);
	}
	insns[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (i + 1 >= argc) {
		fprintf(stderr, "usage: forbid NAME... -- COMMAND [ARG...]\n");
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
