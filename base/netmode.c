#include "base/netmode.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/util.h"

static const char *const names[] = {
	[NET_MODE_NONE] = "none",
	[NET_MODE_EGRESS] = "egress",
};

const char *net_mode_name(enum net_mode m)
{
	return names[m];
}

int net_mode_decode(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	for (size_t i = 0; v->type == JSON_STRING && i < ARRAY_SIZE(names); i++) {
		if (strcmp(v->str.s, names[i]) == 0) {
			*(enum net_mode *) out = (enum net_mode) i;
			return 0;
		}
	}
	return json_err(at, e, "is neither none nor egress");
}
