#include "images/created.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

/* The last second of the year 9999: what RFC 3339 can say. */
static const uint64_t last_second = 253402300799;

int created_now(struct created *out, struct err *e)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct created c = { .given = epoch && *epoch };

	if (!c.given)
		c.seconds = clock_real_ms() / 1000;
	else if (str_to_u64(epoch, last_second, "SOURCE_DATE_EPOCH", &c.seconds, e) < 0)
		return -1;
	/* Whole seconds, as other tools have them. */
	snprintf(c.s, sizeof(c.s), "%.19sZ", clock_rfc3339_ms(c.seconds * 1000).s);
	*out = c;
	return 0;
}
