/*
 * What a system call filter costs at every start: compiling the profile and loading the program, in the shapes that there are.
 *
 *   seccomp PROFILE.json [ROUNDS]     the object of linux.seccomp; medians in microseconds
 *
 * Shapes: libseccomp's list (a comparison for each call), libseccomp's binary tree (its optimisation level 2), and ours (a
 * balanced tree over runs of equal verdicts), fresh and out of the cache. A load is seccomp(2) in a child of its own.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_impl.h"
#include "runtime/spec.h"

enum { MAX_ROUNDS = 2000 };

struct series {
	double us[MAX_ROUNDS];
	int n;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

static double median(struct series *s)
{
	qsort(s->us, (size_t) s->n, sizeof(s->us[0]), by_value);
	return s->us[s->n / 2];
}

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "seccomp: %s: %s\n", what, e ? e->msg : "");
	exit(1);
}

static struct spec *read_profile(const char *path)
{
	static const char before[] =
		"{\"ociVersion\":\"1.0.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"x\"]},\"root\":{\"path\":\"/\"},"
		"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"seccomp\":";
	auto_buf struct buf text = BUF_LIMIT(1 << 20);
	struct spec *spec = NULL;
	struct err e = ERR_NONE;

	if (buf_puts(&text, before, &e) < 0 ||
	    fd_read_file(AT_FDCWD, path, 1 << 19, &text, &e) < 0 ||
	    buf_puts(&text, "}}", &e) < 0 ||
	    spec_parse(buf_str(&text), buf_len(&text), &spec, &e) < 0)
		die(path, &e);
	return spec;
}

/* Microseconds of one seccomp(2), measured by the child that it binds. */
static double load_once(const struct sock_fprog *prog)
{
	double *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double us;
	pid_t pid = fork();

	if (pid == 0) {
		uint64_t t;

		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		t = clock_mono_ns();
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog) < 0)
			_exit(1);
		/* The clock is in the vDSO: it needs no call that the filter may refuse. */
		*shared = (double) (clock_mono_ns() - t) / 1000;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	us = *shared;
	munmap(shared, 4096);
	return us;
}

static double load_median(const struct sock_fprog *prog, int rounds)
{
	static struct series s;

	for (s.n = 0; s.n < rounds; s.n++)
		s.us[s.n] = load_once(prog);
	return median(&s);
}

static scmp_filter_ctx by_libseccomp(const struct filter_spec *f, int tree)
{
	scmp_filter_ctx ctx = seccomp_init(f->default_action);

	if (tree)
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < f->n_arches; i++)
		seccomp_arch_add(ctx, f->arches[i]);
	for (size_t i = 0; i < f->n_rules; i++)
		for (const char *const *n = f->rules[i].names; *n; n++) {
			const struct filter_rule *r = &f->rules[i];
			struct scmp_arg_cmp cmp[6];
			int nr = seccomp_syscall_resolve_name(*n);

			for (size_t k = 0; k < r->n_args; k++)
				cmp[k] = (struct scmp_arg_cmp){
					r->args[k].index, (enum scmp_compare) r->args[k].op,
					r->args[k].value, r->args[k].value_two
				};
			if (nr != __NR_SCMP_ERROR && r->action != f->default_action)
				seccomp_rule_add_array(ctx, r->action, nr, (unsigned) r->n_args,
						       cmp);
		}
	return ctx;
}

static void measure_libseccomp(const struct filter_spec *f, int tree, int rounds)
{
	static struct sock_filter code[32768];
	static struct series s;
	struct sock_fprog prog = { .filter = code };

	for (s.n = 0; s.n < MIN(rounds, 50); s.n++) {
		uint64_t t = clock_mono_ns();
		scmp_filter_ctx ctx = by_libseccomp(f, tree);
		int fd = memfd_create("bpf", MFD_CLOEXEC);

		if (seccomp_export_bpf(ctx, fd) < 0)
			die("libseccomp", NULL);
		s.us[s.n] = (double) (clock_mono_ns() - t) / 1000;
		prog.len = (unsigned short) (pread(fd, code, sizeof(code), 0) /
					     (ssize_t) sizeof(code[0]));
		close(fd);
		seccomp_release(ctx);
	}
	printf("%-26s %5u instructions  compile %8.1f  load %7.1f\n",
	       tree ? "libseccomp, binary tree" : "libseccomp, list", prog.len, median(&s),
	       load_median(&prog, rounds));
}

static void measure_ours(const struct filter_spec *f, int cache_fd, int rounds)
{
	static struct series s;
	struct filter_program p = { 0 };
	struct err e = ERR_NONE;
	struct sock_fprog prog;

	for (s.n = 0; s.n < rounds; s.n++) {
		uint64_t t = clock_mono_ns();

		filter_program_fini(&p);
		if (filter_compile(f, cache_fd, &p, &e) < 0)
			die("compile", &e);
		s.us[s.n] = (double) (clock_mono_ns() - t) / 1000;
	}
	prog = (struct sock_fprog){ .len = p.n, .filter = p.insns };
	printf("%-26s %5u instructions  compile %8.1f  load %7.1f\n",
	       cache_fd < 0 ? "ours" : "ours, from the cache", p.n, median(&s),
	       load_median(&prog, rounds));
	filter_program_fini(&p);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 300;
	char dir[] = "/tmp/carrel-bench.XXXXXX";
	struct err e = ERR_NONE;
	struct spec *spec;
	auto_close int fd = -1, tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (argc < 2 || rounds < 1 || rounds > MAX_ROUNDS || !mkdtemp(dir)) {
		fprintf(stderr, "usage: seccomp PROFILE.json [ROUNDS]\n");
		return 2;
	}
	spec = read_profile(argv[1]);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	measure_libseccomp(&spec->seccomp, 0, rounds);
	measure_libseccomp(&spec->seccomp, 1, rounds);
	measure_ours(&spec->seccomp, -1, rounds);
	measure_ours(&spec->seccomp, fd, rounds);
	spec_free(spec);
	if (fd_remove_tree(tmp, strrchr(dir, '/') + 1, &e) < 0)
		die(dir, &e);
	return 0;
}
