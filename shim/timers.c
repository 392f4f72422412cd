#include "shim/timers.h"

#include "base/clock.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/orders.h"
#include "shim/table.h"

static void idle_fired(void *arg);
static void detached_fired(void *arg);
static void lifetime_fired(void *arg);

static void arm_idle(struct timers *t, uint64_t now)
{
	uint64_t end = t->active_ms + t->idle_ms;
	uint64_t warn = end - MIN(t->warn_ms, t->idle_ms);

	if (t->idle_ms == 0 || t->paused_ms)
		return;
	if (warn > now || t->warn_ms == 0)
		t->idle_warned = false;
	if (t->warn_ms > 0 && !t->idle_warned)
		end = warn;
	loop_timer_set(t->table->loop, &t->idle, end > now ? end - now : 0, idle_fired, t);
}

static void idle_fired(void *arg)
{
	struct timers *t = arg;
	uint64_t now = clock_mono_ms(), end = t->active_ms + t->idle_ms;

	if (now >= end) {
		table_end(t->table, END_IDLE);
		return;
	}
	if (t->warn_ms > 0 && now + t->warn_ms >= end && !t->idle_warned) {
		t->idle_warned = true;
		table_notice(t->table, "idle", (end - now + 999) / 1000);
	}
	arm_idle(t, now);
}

static void arm_detached(struct timers *t, uint64_t now)
{
	uint64_t end = t->alone_ms + t->detached_ms;

	if (t->detached_ms == 0 || t->alone_ms == 0 || t->paused_ms)
		return;
	loop_timer_set(t->table->loop, &t->detached, end > now ? end - now : 0, detached_fired,
		       t);
}

static void detached_fired(void *arg)
{
	struct timers *t = arg;

	table_end(t->table, END_DETACHED);
}

static void arm_lifetime(struct timers *t, uint64_t now)
{
	uint64_t at = t->deadline_ms;

	if (at == 0)
		return;
	if (t->warn_ms > 0 && !t->lifetime_warned)
		at -= MIN(t->warn_ms, at);
	loop_timer_set(t->table->loop, &t->lifetime, at > now ? at - now : 0, lifetime_fired,
		       t);
}

static void lifetime_fired(void *arg)
{
	struct timers *t = arg;
	uint64_t now = clock_mono_ms();

	if (now >= t->deadline_ms) {
		table_end(t->table, END_LIFETIME);
		return;
	}
	if (t->warn_ms > 0 && now + t->warn_ms >= t->deadline_ms && !t->lifetime_warned) {
		t->lifetime_warned = true;
		table_notice(t->table, "lifetime", (t->deadline_ms - now + 999) / 1000);
	}
	arm_lifetime(t, now);
}

void timers_start(struct timers *t, struct table *table)
{
	const struct orders *o = table->orders;
	uint64_t now = clock_mono_ms();

	*t = (struct timers){ .table = table,
			      .idle_ms = o->idle_ms,
			      .detached_ms = o->detached_ms,
			      .alone_ms = now,
			      .warn_ms = o->warn_ms,
			      .active_ms = now,
			      .deadline_ms = o->lifetime_ms ? now + o->lifetime_ms : 0 };
	arm_idle(t, now);
	arm_detached(t, now);
	arm_lifetime(t, now);
}

void timers_stop(struct timers *t)
{
	loop_timer_del(&t->idle);
	loop_timer_del(&t->detached);
	loop_timer_del(&t->lifetime);
}

void timers_clients(struct timers *t, bool any)
{
	uint64_t now = clock_mono_ms();

	if (any == (t->alone_ms == 0))
		return;
	t->alone_ms = any ? 0 : now;
	loop_timer_del(&t->detached);
	arm_detached(t, now);
}

void timers_pause(struct timers *t)
{
	if (t->paused_ms)
		return;
	t->paused_ms = clock_mono_ms();
	loop_timer_del(&t->idle);
	loop_timer_del(&t->detached);
}

void timers_resume(struct timers *t)
{
	uint64_t now = clock_mono_ms();

	if (!t->paused_ms)
		return;
	/* What came while it was paused, came at the latest now. */
	t->active_ms = MIN(now, t->active_ms + (now - t->paused_ms));
	if (t->alone_ms)
		t->alone_ms = MIN(now, t->alone_ms + (now - t->paused_ms));
	t->paused_ms = 0;
	arm_idle(t, now);
	arm_detached(t, now);
}

void timers_extend(struct timers *t, uint64_t ms)
{
	uint64_t now = clock_mono_ms();

	if (t->deadline_ms == 0 || now + ms <= t->deadline_ms)
		return;
	t->deadline_ms = now + ms;
	t->lifetime_warned = false;
	arm_lifetime(t, now);
}

uint64_t timers_idle_ms(const struct timers *t)
{
	uint64_t now = t->paused_ms ? t->paused_ms : clock_mono_ms();

	return now > t->active_ms ? now - t->active_ms : 0;
}

uint64_t timers_lifetime_left_ms(const struct timers *t)
{
	uint64_t now = clock_mono_ms();

	if (t->deadline_ms == 0)
		return UINT64_MAX;
	return t->deadline_ms > now ? t->deadline_ms - now : 0;
}

/* ---- hand-over ---- */

void timers_save(const struct timers *t, struct pack *p)
{
	pack_tag(p, "time");
	pack_u64(p, t->idle_ms);
	pack_u64(p, t->detached_ms);
	pack_u64(p, t->warn_ms);
	pack_u64(p, t->active_ms);
	pack_u64(p, t->alone_ms);
	pack_u64(p, t->paused_ms);
	pack_u64(p, t->deadline_ms);
	pack_bool(p, t->idle_warned);
	pack_bool(p, t->lifetime_warned);
}

void timers_restore(struct timers *t, struct table *table, struct unpack *u)
{
	const uint64_t max = 1ull << 62; /* sums of two do not overflow */
	uint64_t now = clock_mono_ms();

	unpack_tag(u, "time");
	*t = (struct timers){ .table = table };
	t->idle_ms = unpack_u64_to(u, max, "idle_ms");
	t->detached_ms = unpack_u64_to(u, max, "detached_ms");
	t->warn_ms = unpack_u64_to(u, max, "warn_ms");
	t->active_ms = unpack_u64_to(u, max, "a clock");
	t->alone_ms = unpack_u64_to(u, max, "a clock");
	t->paused_ms = unpack_u64_to(u, max, "a clock");
	t->deadline_ms = unpack_u64_to(u, max, "a clock");
	t->idle_warned = unpack_bool(u);
	t->lifetime_warned = unpack_bool(u);
	if (unpack_failed(u))
		return;
	arm_idle(t, now);
	arm_detached(t, now);
	arm_lifetime(t, now);
}
