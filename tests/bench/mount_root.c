/*
 * mount_root N HELD BUNDLE LAYER...: what the shim does for a sandbox's root, N times with shim/rootfs.c itself: layers locked,
 * cloned or mounted with an id mapping, the overlay made, the root opened and looked at. Prints microseconds of wall
 * time, a line each. HELD 1: another sandbox has the same root all the time. BUNDLE has an empty directory `rootfs`.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "shim/orders.h"
#include "shim/rootfs.h"

static double micros(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static int describe(int bundle, struct err *e)
{
	auto_close int fd = openat(bundle, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	return fd < 0 || fstat(fd, &st) < 0 ? err_sys(e, "rootfs") : 0;
}

static int once(const struct orders *o, int bundle, struct err *e)
{
	struct rootfs r;
	double began = micros();

	if (rootfs_mount(o, bundle, &r, e) < 0)
		return -1;
	int ret = describe(bundle, e);
	printf("%.1f\n", micros() - began);
	if (rootfs_unmount(bundle, e) < 0)
		ret = -1;
	rootfs_fini(&r);
	return ret;
}

static int all(int times, bool held, const char *dir, const struct orders *o, struct err *e)
{
	struct rootfs other = { 0 };
	int ret = rootfs_own_namespace(e);
	auto_close int bundle = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (bundle < 0)
		return err_sys(e, "%s", dir);

	/* Below the others at the same place. */
	if (ret == 0 && held)
		ret = rootfs_mount(o, bundle, &other, e);
	for (int i = 0; ret == 0 && i < times; i++)
		ret = once(o, bundle, e);
	if (held)
		rootfs_fini(&other);
	return ret;
}

int main(int n, char **argv)
{
	struct orders o = { .idmap = { .base = 524288, .count = 65536 } };
	struct err e = ERR_NONE;

	if (n < 5)
		return 2;
	o.rootfs.layers = (const char **) argv + 4;
	o.rootfs.n_layers = (size_t) n - 4;
	if (all(atoi(argv[1]), atoi(argv[2]) != 0, argv[3], &o, &e) == 0)
		return 0;
	(void) fprintf(stderr, "mount_root: %s\n", e.msg);
	return 1;
}
