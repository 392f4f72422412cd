/* Files, devices and mounts: what is there, and what may be done with it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/guest/probes.h"

void probe_stat(char **a)
{
	static const char *const kinds[16] = {
		[1] = "fifo", [2] = "char",  [4] = "dir",  [6] = "block",
		[8] = "file", [10] = "link", [12] = "sock"
	};
	struct stat st;

	for (; *a; a++) {
		if (lstat(*a, &st) < 0) {
			printf("stat %s %s\n", *a, strerrorname_np(errno));
			continue;
		}
		printf("stat %s %s %04o %u:%u", *a, kinds[(st.st_mode >> 12) & 15],
		       st.st_mode & 07777, st.st_uid, st.st_gid);
		if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			printf(" %u:%u", major(st.st_rdev), minor(st.st_rdev));
		printf("\n");
	}
}

static void probe_read(char **a)
{
	char buf[4096];

	for (; *a; a++) {
		const int fd = open(*a, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		const ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

		if (n < 0)
			attempt("read", *a, -1);
		else
			printf("read %s %zd\n", *a, n);
		if (fd >= 0)
			(void) close(fd);
	}
}

static void probe_write(char **a)
{
	const int fd = open(a[0], O_WRONLY | O_CLOEXEC);
	const char *text = a[0] && a[1] ? a[1] : "x";

	attempt("write", a[0], fd < 0 ? -1 : write(fd, text, strlen(text)));
}

static void probe_make(char **a)
{
	attempt("make", a[0], open(a[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static void probe_mknod(char **a)
{
	if (a[0] && a[1] && a[2] && a[3])
		attempt("mknod", a[0],
			mknod(a[0], 0666 | (a[1][0] == 'b' ? S_IFBLK : S_IFCHR),
			      makedev((unsigned) atoi(a[2]), (unsigned) atoi(a[3]))));
}

/* The last mount on this point: its own options, propagation, type, source and the superblock's options. */
static void probe_mount(char **a)
{
	for (; *a; a++) {
		char line[4096], found[4096] = "none\n", point[1024];
		FILE *f = fopen("/proc/self/mountinfo", "re");
		int rest = 0;

		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%*s %*s %*s %*s %1023s %n", point, &rest) == 1 &&
			    strcmp(point, *a) == 0)
				(void) snprintf(found, sizeof(found), "%s", line + rest);
		}
		if (f)
			(void) fclose(f);
		printf("mount %s %s", *a, found);
	}
}

static void probe_fstype(char **a)
{
	struct statfs s;

	for (; *a; a++) {
		if (statfs(*a, &s) < 0)
			attempt("fstype", *a, -1);
		else
			printf("fstype %s %lx flags %lx size %llu\n", *a,
			       (unsigned long) s.f_type, (unsigned long) s.f_flags,
			       (unsigned long long) s.f_blocks *
				       (unsigned long long) s.f_bsize);
	}
}

const struct probe file_probes[] = {
	{ "stat", 1, probe_stat },     { "read", 1, probe_read },
	{ "write", 1, probe_write },   { "make", 1, probe_make },
	{ "mknod", 4, probe_mknod },   { "mount", 1, probe_mount },
	{ "fstype", 1, probe_fstype }, { 0 },
};
