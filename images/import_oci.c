/* OCI layouts: index.json, and what it leads to. */
#include "images/import_internal.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

enum { SMALL_JSON = 8 << 20 };

static int check_layout(struct import *im, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_json struct json_doc *doc = NULL;
	const char *version;

	if (source_read(im->source, "oci-layout", &text, e) < 0)
		return -1;
	if (json_parse((const char *) buf_bytes(&text), buf_len(&text), NULL, &doc, e) < 0)
		return err_wrap(e, "oci-layout");
	version = json_str_or(json_root(doc), "imageLayoutVersion", "");
	if (strcmp(version, "1.0.0") != 0)
		return err_set(e, ENOTSUP,
			       "oci-layout: imageLayoutVersion '%.40s'; 1.0.0 is supported",
			       version);
	return 0;
}

int import_oci(struct import *im, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);

	if (check_layout(im, e) < 0 || source_read(im->source, "index.json", &text, e) < 0)
		return -1;
	return import_index(im, &text, NULL, e);
}
