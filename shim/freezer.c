#include "shim/freezer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/util.h"
#include "shim/launch_io.h"
#include "shim/orders.h"
#include "shim/talk.h"

enum { FREEZE_MS = 10000 };

static const char log_name[] = "freezer.log";

static void tell(const struct freezer *f, bool freeze, const struct err *why)
{
	struct talk_msg m = { .kind = freeze ? TALK_PAUSED : TALK_RESUMED };
	struct err e = ERR_NONE;

	if (why) {
		int n = snprintf(m.text, sizeof(m.text), "%s", why->msg);

		m.code = why->code;
		m.n_text = (uint32_t) MIN((size_t) n, sizeof(m.text) - 1);
	}
	log_info("%s%s%s", freeze ? "pause" : "resume", why ? ": " : "", why ? why->msg : "");
	if (talk_send(f->talk_fd, &m, NULL, 0, &e) < 0)
		log_warn("%s", e.msg);
}

static int begin(struct freezer *f, bool freeze, struct err *e)
{
	auto_free char *log = xasprintf("%s/bundle/%s", f->dir, log_name);
	const struct orders *o = f->orders;
	const char *argv[] = { o->runtime,
			       "--root",
			       o->runtime_root,
			       "--log",
			       log,
			       "--log-format",
			       "json",
			       freeze ? "pause" : "resume",
			       o->id,
			       NULL };
	struct child_spec spec = CHILD_SPEC_NONE;

	spec.path = o->runtime;
	spec.argv = (char *const *) (uintptr_t) argv;
	spec.envp = launch_env;
	spec.parent_death_signal = SIGKILL;
	if (child_spawn(&spec, &f->runtime, e) < 0)
		return err_wrap(e, "%s", o->runtime);
	f->freezing = freeze;
	f->deadline_ms = clock_mono_ms() + FREEZE_MS;
	return 0;
}

void freezer_ask(struct freezer *f, bool freeze)
{
	struct err e = ERR_NONE;
	int r = 0;

	if (f->must_thaw)
		r = err_set(&e, ESRCH, "the sandbox is ending");
	else if (f->runtime.pidfd >= 0)
		r = err_set(&e, EBUSY, "it is being %s", f->freezing ? "paused" : "resumed");
	else if (f->frozen != freeze)
		r = begin(f, freeze, &e);
	else {
		tell(f, freeze, NULL); /* it is so already */
		return;
	}
	if (r < 0)
		tell(f, freeze, &e);
}

void freezer_thaw(struct freezer *f)
{
	struct err e = ERR_NONE;

	f->must_thaw = true;
	if (f->runtime.pidfd < 0 && f->frozen && begin(f, false, &e) < 0)
		log_error("resume: %s", e.msg);
}

int freezer_fd(const struct freezer *f)
{
	return f->runtime.pidfd;
}

static void ended(struct freezer *f, const struct child_status *st)
{
	struct err e = ERR_NONE;
	int r = 0;

	if (st->signalled || st->code != 0)
		r = launch_runtime_error(f->bundle_fd, log_name, -1, st, &e);
	else
		f->frozen = f->freezing;
	(void) unlinkat(f->bundle_fd, log_name, 0);
	tell(f, f->freezing, r < 0 ? &e : NULL);
	if (f->must_thaw && f->frozen)
		freezer_thaw(f);
}

void freezer_look(struct freezer *f)
{
	struct child_status st;
	struct err e = ERR_NONE;
	int r;

	if (f->runtime.pidfd < 0)
		return;
	r = child_poll(&f->runtime, &st, &e);
	if (r > 0) {
		ended(f, &st);
		return;
	}
	if (r == 0 && clock_mono_ms() < f->deadline_ms)
		return;
	child_end(&f->runtime);
	if (r == 0)
		(void) err_set(&e, ETIMEDOUT, "runtime: not done after %d s", FREEZE_MS / 1000);
	f->frozen |= f->freezing; /* perhaps: what ends it thaws it then */
	tell(f, f->freezing, &e);
}

void freezer_fini(struct freezer *f)
{
	child_end(&f->runtime);
	(void) unlinkat(f->bundle_fd, log_name, 0);
}
