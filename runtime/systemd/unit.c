#include "runtime/systemd/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/systemd/bus.h"
#include "runtime/systemd/request.h"

/* ---- properties ---- */

static int append_basic(sd_bus_message *m, char type, const char *text)
{
	struct err ignored = ERR_NONE;
	uint64_t v = 0;

	if (type == 's')
		return sd_bus_message_append_basic(m, 's', text);
	if (type == 'b') {
		const int b = strcmp(text, "true") == 0;

		return sd_bus_message_append_basic(m, 'b', &b);
	}
	if (str_to_u64(text, type == 'u' ? UINT32_MAX : UINT64_MAX, "", &v, &ignored) < 0)
		return -EINVAL;
	if (type == 't')
		return sd_bus_message_append_basic(m, 't', &v);
	if (type == 'u') {
		const uint32_t u = (uint32_t) v;

		return sd_bus_message_append_basic(m, 'u', &u);
	}
	return -EINVAL;
}

static int append_bytes(sd_bus_message *m, const struct request_property *p)
{
	const char *hex = p->n ? p->values[0] : "";
	const size_t n = strlen(hex) / 2;
	auto_free char *bytes = xalloc(n + 1);

	if (str_unhex(hex, bytes, n) < 0)
		return -EINVAL;
	return sd_bus_message_append_array(m, 'y', bytes, n);
}

static int append_strings(sd_bus_message *m, const struct request_property *p)
{
	int r = sd_bus_message_open_container(m, 'a', "s");

	for (size_t i = 0; r >= 0 && i < p->n; i++)
		r = sd_bus_message_append_basic(m, 's', p->values[i]);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_string_pairs(sd_bus_message *m, const struct request_property *p)
{
	int r = sd_bus_message_open_container(m, 'a', "(ss)");

	for (size_t i = 0; r >= 0 && i + 1 < p->n; i += 2)
		r = sd_bus_message_append(m, "(ss)", p->values[i], p->values[i + 1]);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_value(sd_bus_message *m, const struct request_property *p)
{
	if (strcmp(p->type, "as") == 0)
		return append_strings(m, p);
	if (strcmp(p->type, "ay") == 0)
		return append_bytes(m, p);
	if (strcmp(p->type, "a(ss)") == 0)
		return append_string_pairs(m, p);
	if (strlen(p->type) != 1 || p->n != 1)
		return -EINVAL;
	return append_basic(m, p->type[0], p->values[0]);
}

static int append_property(sd_bus_message *m, const struct request_property *p)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append_basic(m, 's', p->name);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', p->type);
	if (r >= 0)
		r = append_value(m, p);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* systemd 252 and later: for those before it the runtime's own write to cpu.idle is all there is. */
static bool knows_idle_weight(const struct bus *b)
{
	char *version = NULL;
	unsigned long n = 0;

	if (sd_bus_get_property_string(b->sd, BUS_SYSTEMD, BUS_PATH, BUS_MANAGER, "Version",
				       NULL, &version) >= 0)
		n = strtoul(version + strcspn(version, "0123456789"), NULL, 10);
	free(version);
	return n >= 252;
}

static bool is_idle_weight(const struct request_property *p)
{
	return strcmp(p->name, "CPUWeight") == 0 && p->n == 1 && strcmp(p->values[0], "0") == 0;
}

static int append_properties(const struct bus *b, sd_bus_message *m, const struct request *q,
			     bool with_us, struct err *e)
{
	int r = sd_bus_message_open_container(m, 'a', "(sv)");

	for (size_t i = 0; r >= 0 && i < q->n_props; i++) {
		if (is_idle_weight(&q->props[i]) && !knows_idle_weight(b))
			continue;
		r = append_property(m, &q->props[i]);
		if (r < 0)
			return bus_error(e, r, q->props[i].name);
	}
	if (r >= 0 && with_us)
		r = sd_bus_message_append(m, "(sv)", "PIDs", "au", 1, (uint32_t) getpid());
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? bus_error(e, r, "properties") : 0;
}

/* ---- jobs ---- */

/* Jobs end by a signal, which may come before the answer to the call that made the job: all are kept. */
struct jobs {
	struct buf ended; /* "PATH RESULT\n" lines */
};

static int job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct jobs *jobs = userdata;
	struct err ignored = ERR_NONE;
	const char *path, *unit, *result;
	uint32_t id;

	if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) >= 0)
		(void) buf_printf(&jobs->ended, &ignored, "%s %s\n", path, result);
	return 0;
}

static int watch_jobs(const struct bus *b, struct jobs *jobs, sd_bus_slot **slot, struct err *e)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_match_signal(b->sd, slot, BUS_SYSTEMD, BUS_PATH, BUS_MANAGER,
				    "JobRemoved", job_removed, jobs);

	if (r < 0)
		return bus_error(e, r, "watch jobs");
	if (bus_new_call(b, "Subscribe", &m, e) < 0)
		return -1;
	return bus_call(b, m, "org.freedesktop.systemd1.AlreadySubscribed", NULL, e) < 0 ? -1
											 : 0;
}

/* Waits for the job's end: "done", or what systemd says instead. */
static int await_job(const struct bus *b, struct jobs *jobs, const char *job, const char *unit,
		     char *result, size_t size, struct err *e)
{
	auto_free char *start = xasprintf("%s ", job);

	for (;;) {
		const char *found = strstr(buf_str(&jobs->ended), start);
		int r;

		if (found) {
			found += strlen(start);
			const size_t n = MIN(strcspn(found, "\n"), size - 1);

			memcpy(result, found, n);
			result[n] = '\0';
			return 0;
		}
		if (bus_left(b) == 1)
			return err_set(e, ETIMEDOUT, "systemd does not finish the job for %s",
				       unit);
		r = sd_bus_process(b->sd, NULL);
		if (r == 0)
			r = sd_bus_wait(b->sd, bus_left(b));
		if (r < 0)
			return bus_error(e, r, "the connection to systemd");
	}
}

/* A call that makes a job, then its end. Returns 1 when the call's error is `expected`. */
static int run_job(const struct bus *b, sd_bus_message *m, const char *unit,
		   const char *expected, char *result, size_t size, struct err *e)
{
	struct jobs jobs = { .ended = BUF_LIMIT(1 << 20) };
	sd_bus_message *reply = NULL;
	sd_bus_slot *slot = NULL;
	const char *job = NULL;
	int r = watch_jobs(b, &jobs, &slot, e);

	if (r < 0)
		sd_bus_message_unref(m);
	else
		r = bus_call(b, m, expected, &reply, e);
	if (r == 0 && sd_bus_message_read(reply, "o", &job) < 0)
		r = err_set(e, EPROTO, "systemd names no job for %s", unit);
	if (r == 0)
		r = await_job(b, &jobs, job, unit, result, size, e);
	sd_bus_message_unref(reply);
	sd_bus_slot_unref(slot);
	buf_fini(&jobs.ended);
	return r;
}

static void reset_failed(const struct bus *b, const char *unit)
{
	struct err ignored = ERR_NONE; /* it need not be a failed one */
	sd_bus_message *m = NULL;

	if (bus_new_call(b, "ResetFailedUnit", &m, &ignored) < 0)
		return;
	if (sd_bus_message_append_basic(m, 's', unit) < 0)
		sd_bus_message_unref(m);
	else
		(void) bus_call(b, m, NULL, NULL, &ignored);
}

/* ---- the operations ---- */

static bool is_slice(const char *unit)
{
	return str_has_suffix(unit, ".slice");
}

static int tell_cgroup(const struct bus *b, const char *path, const char *interface,
		       struct buf *out, struct err *e)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	char *text = NULL;
	int r = sd_bus_get_property_string(b->sd, BUS_SYSTEMD, path, interface, "ControlGroup",
					   &error, &text);

	if (r < 0)
		r = err_set(e, -r, "ControlGroup of %s: %s", path,
			    error.message ? error.message : strerror(-r));
	else
		r = buf_puts(out, text, e);
	sd_bus_error_free(&error);
	free(text);
	return r;
}

static int tell_unit_cgroup(const struct bus *b, const char *unit, struct buf *out,
			    struct err *e)
{
	char *path = NULL;
	int r = sd_bus_path_encode(BUS_PATH "/unit", unit, &path);

	if (r < 0)
		return bus_error(e, r, unit);
	r = tell_cgroup(b, path, is_slice(unit) ? BUS_SYSTEMD ".Slice" : BUS_SYSTEMD ".Scope",
			out, e);
	free(path);
	return r;
}

static int start_once(struct bus *b, const struct request *q, char *result, size_t size,
		      struct err *e)
{
	sd_bus_message *m = NULL;

	if (bus_new_call(b, "StartTransientUnit", &m, e) < 0)
		return -1;
	int r = sd_bus_message_append(m, "ss", q->unit, "replace");
	if (r < 0)
		r = bus_error(e, r, "StartTransientUnit");
	else
		r = append_properties(b, m, q, !is_slice(q->unit), e);
	if (r == 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	if (r < 0) {
		sd_bus_message_unref(m);
		return -1;
	}
	return run_job(b, m, q->unit, "org.freedesktop.systemd1.UnitExists", result, size, e);
}

int unit_start(struct bus *b, const struct request *q, struct buf *cgroup, struct err *e)
{
	char result[32] = "done";
	int r = start_once(b, q, result, sizeof(result), e);

	/* A failed unit keeps its name until it is reset. A slice that is there is what was asked for. */
	if (r == 1 && !is_slice(q->unit)) {
		reset_failed(b, q->unit);
		r = start_once(b, q, result, sizeof(result), e);
		if (r == 1)
			return err_set(e, EEXIST,
				       "unit %s exists already: another container has it, or "
				       "it still stops",
				       q->unit);
	}
	if (r < 0)
		return -1;
	if (strcmp(result, "done") != 0) {
		reset_failed(b, q->unit);
		return err_set(e, EIO, "unit %s was not started: its job ended with \"%s\"",
			       q->unit, result);
	}
	return tell_unit_cgroup(b, q->unit, cgroup, e);
}

/* systemd answers first and writes the files, all of the unit's, then: before it reads the next message. */
static int settle_down(const struct bus *b, struct err *e)
{
	sd_bus_message *m = NULL;
	const int r = sd_bus_message_new_method_call(b->sd, &m, BUS_SYSTEMD, BUS_PATH,
						     "org.freedesktop.DBus.Peer", "Ping");

	return r < 0 ? bus_error(e, r, "Ping") : bus_call(b, m, NULL, NULL, e);
}

int unit_set(struct bus *b, const struct request *q, struct buf *cgroup, struct err *e)
{
	sd_bus_message *m = NULL;

	if (bus_new_call(b, "SetUnitProperties", &m, e) < 0)
		return -1;
	/* true: for as long as it lives. */
	int r = sd_bus_message_append(m, "sb", q->unit, 1);
	if (r < 0)
		r = bus_error(e, r, "SetUnitProperties");
	else
		r = append_properties(b, m, q, false, e);
	if (r < 0) {
		sd_bus_message_unref(m);
		return -1;
	}
	if (bus_call(b, m, NULL, NULL, e) < 0)
		return -1;
	return settle_down(b, e);
}

int unit_stop(struct bus *b, const struct request *q, struct buf *cgroup, struct err *e)
{
	char result[32] = "";
	sd_bus_message *m = NULL;

	if (bus_new_call(b, "StopUnit", &m, e) < 0)
		return -1;
	int r = sd_bus_message_append(m, "ss", q->unit, "replace");
	if (r < 0) {
		sd_bus_message_unref(m);
		return bus_error(e, r, "StopUnit");
	}
	r = run_job(b, m, q->unit, "org.freedesktop.systemd1.NoSuchUnit", result,
		    sizeof(result), e);
	if (r < 0)
		return -1;
	reset_failed(b, q->unit);
	return 0;
}

int unit_attach(struct bus *b, const struct request *q, struct buf *cgroup, struct err *e)
{
	sd_bus_message *m = NULL;

	if (bus_new_call(b, "AttachProcessesToUnit", &m, e) < 0)
		return -1;
	const int r =
		sd_bus_message_append(m, "ssau", q->unit, q->below ? q->below : "/", 1, q->pid);
	if (r < 0) {
		sd_bus_message_unref(m);
		return bus_error(e, r, "AttachProcessesToUnit");
	}
	return bus_call(b, m, NULL, NULL, e);
}

int unit_where(struct bus *b, const struct request *q, struct buf *cgroup, struct err *e)
{
	return tell_cgroup(b, BUS_PATH, BUS_MANAGER, cgroup, e);
}
