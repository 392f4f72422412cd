/* OCI layouts: index.json, and what it leads to. */
#include "images/import_internal.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "images/store_layout.h"

enum { SMALL_JSON = 8 << 20 };

static int check_layout(struct import *im, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);

	if (source_read(im->source, "oci-layout", &text, e) < 0)
		return -1;
	return layout_check_version(&text, e) < 0 ? -1 : 0;
}

int import_oci(struct import *im, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);

	if (check_layout(im, e) < 0 || source_read(im->source, "index.json", &text, e) < 0)
		return -1;
	return import_index(im, &text, NULL, e);
}
