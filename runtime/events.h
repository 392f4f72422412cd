/* events: the lines that it prints, as consumers of the field's runtimes read them. For events*.c and tests. */
#ifndef CARREL_RUNTIME_EVENTS_H
#define CARREL_RUNTIME_EVENTS_H

#include "runtime/cgroup_stats.h"
#include "runtime/rdt_stats.h"

struct buf;
struct err;

/* {"type":"stats","id":...,"data":{...}} and {"type":"oom","id":...}, without a newline. */
int events_render_stats(const char *id, const struct cgroup_stats *s,
			const struct stats_interfaces *net, const struct rdt_stats *rdt,
			struct buf *out, struct err *e);
int events_render_oom(const char *id, struct buf *out, struct err *e);

#endif
