/* Growing: marked in volume.json before it begins, so that a volume between two sizes is never used. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/prjquota.h"
#include "images/volume_internal.h"

static int check(const struct volume_info *v, uint64_t size, struct err *e)
{
	if (size % VOLUME_BLOCK || size > VOLUME_SIZE_MAX)
		return err_set(e, EINVAL,
			       "volume %s: %llu bytes: sizes are multiples of %d, at most 16Ti",
			       v->name, (unsigned long long) size, VOLUME_BLOCK);
	if (size < v->size)
		return err_set(
			e, EINVAL,
			"volume %s has %llu bytes and volumes do not shrink; make a smaller one "
			"and copy what is needed",
			v->name, (unsigned long long) v->size);
	return 0;
}

int volume_limit_quota(int data_fd, const struct volume_info *v, struct err *e)
{
	struct stat st;

	if (fstat(data_fd, &st) < 0)
		return err_sys(e, "%s", VOLUME_DATA);
	return prjquota_limit(data_fd, v->project,
			      v->size + MIN((uint64_t) st.st_blocks * 512,
					    (uint64_t) VOLUME_BLOCK),
			      v->inodes + 1, e);
}

static int grow_quota(struct volume *v, uint64_t size, struct err *e)
{
	struct volume_info *info = &v->info;
	const double factor = (double) size / (double) info->size;

	info->inodes = (uint64_t) ((double) info->inodes * factor);
	info->size = size;
	if (prjquota_check(v->content_fd, e) < 0 ||
	    prjquota_join(v->content_fd, info->project, e) < 0)
		return -1;
	return volume_limit_quota(v->content_fd, info, e);
}

static int grow(struct volume *v, uint64_t size, struct err *e)
{
	int r;

	/* An image of the size that it has already needs nothing. */
	if (v->info.kind == VOLUME_LOOP && size == v->info.size && !v->info.growing)
		return 0;
	v->info.growing = true;
	if (volume_write_info(v->dir_fd, &v->info, e) < 0)
		return -1;
	if (v->info.kind == VOLUME_QUOTA) {
		r = grow_quota(v, size, e);
	} else {
		v->info.size = size;
		r = volume_disk_grow(v->dir_fd, &v->info, e);
	}
	if (r < 0)
		return -1;
	v->info.growing = false;
	return volume_write_info(v->dir_fd, &v->info, e);
}

int volume_resize(const struct volumes *vs, const char *name, uint64_t size, struct err *e)
{
	auto_volume struct volume v = VOLUME_NONE;

	if (volume_open(vs->dir_fd, name, VOLUME_TO_CHANGE, &v, e) < 0 ||
	    check(&v.info, size, e) < 0 || volume_claim(&v, NULL, e) < 0)
		return -1;
	return grow(&v, size, e) < 0 ? err_wrap(e, "volume %s", name) : 0;
}
