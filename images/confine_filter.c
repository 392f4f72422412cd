#include "images/confine_filter.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/util.h"
#include "images/sanitized.h"

/* Reading, writing, memory, the end: all that turning one stream into another takes. */
static const int stream_calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(close),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(restart_syscall),
#if IMAGES_SANITIZED
	/* what the sanitizers' runtime asks for on its own */
	SCMP_SYS(sigaltstack),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(readlink),
	SCMP_SYS(prctl),
	SCMP_SYS(prlimit64),
#endif
};

/* What making files below "/" takes; each is used by base/path.c, base/fd.c or images/extract*.c. */
static const int tree_calls[] = {
	SCMP_SYS(openat),	   SCMP_SYS(openat2),	   SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),	   SCMP_SYS(statx),	   SCMP_SYS(fstatfs),
	SCMP_SYS(lseek),	   SCMP_SYS(fcntl),	   SCMP_SYS(pwrite64),
	SCMP_SYS(ftruncate),	   SCMP_SYS(mkdirat),	   SCMP_SYS(mknodat),
	SCMP_SYS(symlinkat),	   SCMP_SYS(linkat),	   SCMP_SYS(unlinkat),
	SCMP_SYS(readlinkat),	   SCMP_SYS(getdents64),   SCMP_SYS(fchown),
	SCMP_SYS(fchownat),	   SCMP_SYS(fchmod),	   SCMP_SYS(fchmodat),
	SCMP_SYS(utimensat),	   SCMP_SYS(fsetxattr),	   SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),	   SCMP_SYS(fremovexattr), SCMP_SYS(flistxattr),
	SCMP_SYS(recvmsg), /* the answer to "mark this directory" */
	SCMP_SYS(sysinfo), /* glibc's qsort */
	SCMP_SYS(sync_file_range),
};

/* What reading below "/" takes: images/upper.c and dirlist.c. */
static const int read_calls[] = {
	SCMP_SYS(openat),     SCMP_SYS(fstat),	   SCMP_SYS(newfstatat),
	SCMP_SYS(statx),      SCMP_SYS(lseek),	   SCMP_SYS(pread64),
	SCMP_SYS(fcntl),      SCMP_SYS(fgetxattr), SCMP_SYS(getdents64),
	SCMP_SYS(readlinkat), SCMP_SYS(recvmsg),   SCMP_SYS(sysinfo), /* glibc's qsort */
};

/* images/erofs_out.c; glibc's qsort asks how much memory there is. */
static const int image_calls[] = { SCMP_SYS(pwrite64), SCMP_SYS(ftruncate),
				   SCMP_SYS(sync_file_range), SCMP_SYS(sysinfo) };

/* There are no files for that child: libarchive would look for tables of character sets, and does without. */
static const int no_file_calls[] = { SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(fstat) };

static int add(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add(ctx, action, calls[i], 0);

		if (r < 0)
			return err_set(e, -r, "seccomp: call %d: %s", calls[i], strerror(-r));
	}
	return 0;
}

/* Memory, and none of it to be run: a library that lies in the tree cannot be loaded. */
static int add_memory(scmp_filter_ctx ctx, struct err *e)
{
	const struct scmp_arg_cmp not_run = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, not_run);

	if (r == 0 && IMAGES_SANITIZED)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, not_run);
	return r < 0 ? err_set(e, -r, "seccomp: mmap: %s", strerror(-r)) : 0;
}

static int add_kind(scmp_filter_ctx ctx, enum confine_kind kind, struct err *e)
{
	switch (kind) {
	case CONFINE_TREE:
		return add(ctx, SCMP_ACT_ALLOW, tree_calls, ARRAY_SIZE(tree_calls), e);
	case CONFINE_READ:
		return add(ctx, SCMP_ACT_ALLOW, read_calls, ARRAY_SIZE(read_calls), e);
	case CONFINE_IMAGE:
		if (add(ctx, SCMP_ACT_ALLOW, image_calls, ARRAY_SIZE(image_calls), e) < 0)
			return -1;
		return add(ctx, SCMP_ACT_ERRNO(ENOENT), no_file_calls,
			   ARRAY_SIZE(no_file_calls), e);
	default:
		return 0;
	}
}

int confine_filter(enum confine_kind kind, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!ctx)
		return err_set(e, ENOMEM, "seccomp: no memory for the filter");
	r = add(ctx, SCMP_ACT_ALLOW, stream_calls, ARRAY_SIZE(stream_calls), e);
	if (r == 0)
		r = add_memory(ctx, e);
	if (r == 0)
		r = add_kind(ctx, kind, e);
	if (r == 0) {
		r = seccomp_load(ctx);
		if (r < 0)
			r = err_set(e, -r, "seccomp: load the filter: %s", strerror(-r));
	}
	seccomp_release(ctx);
	return r;
}
