#include <errno.h>

#include "base/err.h"
#include "base/util.h"
#include "sessiond/api.h"
#include "sessiond/problem.h"
#include "sessiond/recordings.h"
#include "sessiond/records.h"
#include "sessiond/request.h"
#include "sessiond/server.h"

/* As far as it is written: a live one may be read too, and with `from` what has come since. */
void api_recording_get(struct request *rq)
{
	auto_record struct record r = { 0 };
	struct err e = ERR_NONE;
	static const char *const names[] = { "from", NULL };
	uint64_t size = 0, from = 0;
	int fd;

	if (!api_find_own(rq, &r))
		return;
	if (target_query_only(&rq->target, names, &e) < 0 ||
	    target_query_u64(&rq->target, "from", 0, INT64_MAX, &from, &e) < 0) {
		problem_reply(rq, PROBLEM_INVALID, "%s", e.msg);
		return;
	}
	fd = recordings_open(rq->server->config, r.id, &size, &e);
	if (fd >= 0)
		reply_file(rq, 200, "application/x-asciicast", fd, MIN(from, size),
			   size - MIN(from, size));
	else if (e.code == ENOENT)
		problem_reply(rq, PROBLEM_NOT_FOUND, "this sandbox is not recorded");
	else
		problem_internal(rq, &e);
}
