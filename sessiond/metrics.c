#include "sessiond/metrics.h"

#include "base/err.h"
#include "base/page.h"
#include "base/util.h"
#include "sessiond/launch.h"

static const unsigned bucket_ms[METRICS_BUCKETS] = { 2, 5, 10, 25, 50, 100, 250, 1000, 5000 };

void metrics_start(struct metrics *m, uint64_t us)
{
	size_t i = 0;

	while (i < METRICS_BUCKETS && us > bucket_ms[i] * 1000u)
		i++;
	m->start_buckets[i]++;
	m->start_count++;
	m->start_us += us;
}

static void head(struct page *p, const char *name, const char *type, const char *help)
{
	page_say(p, "# HELP carrel_%s %s\n# TYPE carrel_%s %s\n", name, help, name, type);
}

static void one(struct page *p, const char *name, const char *type, const char *help,
		uint64_t value)
{
	head(p, name, type, help);
	page_say(p, "carrel_%s %llu\n", name, (unsigned long long) value);
}

static void starts(struct page *p, const struct metrics *m)
{
	uint64_t sum = 0;

	head(p, "start_seconds", "histogram", "From the request to a running program.");
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		sum += m->start_buckets[i];
		page_say(p, "carrel_start_seconds_bucket{le=\"%g\"} %llu\n",
			 bucket_ms[i] / 1000.0, (unsigned long long) sum);
	}
	page_say(p, "carrel_start_seconds_bucket{le=\"+Inf\"} %llu\n",
		 (unsigned long long) m->start_count);
	page_say(p, "carrel_start_seconds_sum %.6f\n", (double) m->start_us / 1e6);
	page_say(p, "carrel_start_seconds_count %llu\n", (unsigned long long) m->start_count);
}

static void findings(struct page *p, const struct metrics *m)
{
	static const char *const actions[METRICS_ACTIONS] = { "alert", "mask", "block",
							      "kill" };

	head(p, "policy_findings_total", "counter", "What policies found, by action.");
	for (size_t i = 0; i < METRICS_ACTIONS; i++)
		page_say(p, "carrel_policy_findings_total{action=\"%s\"} %llu\n", actions[i],
			 (unsigned long long) m->findings[i]);
	one(p, "policy_findings_dropped_total", "counter",
	    "Findings that are counted, but not in the audit log.", m->findings_dropped);
}

int metrics_render(const struct metrics *m, size_t live, struct buf *out, struct err *e)
{
	struct page p = { .out = out, .e = e };

	one(&p, "sandboxes_live", "gauge", "Sandboxes that run now.", live);
	one(&p, "sandboxes_created_total", "counter", "Sandboxes started.", m->created);
	one(&p, "sandboxes_failed_total", "counter", "Sandboxes that did not start.",
	    m->create_failed);
	one(&p, "quota_refused_total", "counter", "Creations refused by a tier's limit.",
	    m->quota_refused);
	one(&p, "attached_total", "counter", "Terminals handed to a shim.", m->attached);
	one(&p, "attach_failed_total", "counter", "Terminals that no shim took.",
	    m->attach_failed);
	head(&p, "sandboxes_ended_total", "counter", "Sandboxes that ended, by reason.");
	_Static_assert((int) METRICS_REASONS == (int) LAUNCH_REASONS, "one counter for each");
	for (enum launch_reason r = LAUNCH_EXITED; r < LAUNCH_REASONS; r++)
		page_say(&p, "carrel_sandboxes_ended_total{reason=\"%s\"} %llu\n",
			 launch_reason_name(r), (unsigned long long) m->ended[r]);
	findings(&p, m);
	head(&p, "requests_total", "counter", "HTTP requests by class of status.");
	for (size_t i = 1; i < ARRAY_SIZE(m->requests); i++)
		page_say(&p, "carrel_requests_total{class=\"%zuxx\"} %llu\n", i,
			 (unsigned long long) m->requests[i]);
	starts(&p, m);
	return p.r;
}
