/* Any bytes as sandbox.json, the shim's orders: what is accepted has every field that the shim goes by. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "shim/orders.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* One directory for all runs; in it, the name sandbox.json leads to a memfd. */
static struct {
	char path[32];
	int dir, file;
} place = { .path = "/tmp/carrel-fuzz-XXXXXX", .dir = FD_NONE, .file = FD_NONE };

static void remove_place(void)
{
	(void) unlinkat(place.dir, "sandbox.json", 0);
	(void) rmdir(place.path);
}

static void make_place(void)
{
	struct fd_path target;

	place.file = memfd_create("sandbox.json", MFD_CLOEXEC);
	target = fd_path(place.file);
	if (place.file < 0 || !mkdtemp(place.path))
		abort();
	place.dir = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place.dir < 0 || symlinkat(target.s, place.dir, "sandbox.json") < 0 ||
	    atexit(remove_place) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct orders o = { 0 };
	struct err e = ERR_NONE;

	if (place.dir < 0)
		make_place();
	if (ftruncate(place.file, 0) < 0 || lseek(place.file, 0, SEEK_SET) < 0 ||
	    fd_write_all(place.file, data, n, &e) < 0)
		abort();
	if (orders_read(place.dir, &o, &e) == 0) {
		if (!o.id || !o.runtime || o.runtime[0] != '/' || o.runtime_root[0] != '/' ||
		    o.cols < 1 || o.rows < 1)
			abort();
		for (size_t i = 0; i < o.rootfs.n_layers; i++) {
			if (o.rootfs.layers[i][0] != '/')
				abort();
		}
		orders_fini(&o);
	} else if (!strstr(e.msg, "sandbox.json")) {
		abort();
	}
	return 0;
}
