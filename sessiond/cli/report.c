#include "sessiond/cli/report.h"

#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/terminal.h"
#include "sessiond/launch.h"

static const struct {
	enum launch_reason reason;
	int code; /* 0: the program's */
	const char *text;
} rows[] = {
	{ LAUNCH_OOM, CLI_KILLED, "it ran out of memory" },
	{ LAUNCH_IDLE, CLI_TIME_LIMIT, "nobody used it for its idle limit" },
	{ LAUNCH_LIFETIME, CLI_TIME_LIMIT, "its lifetime is over" },
	{ LAUNCH_DETACHED, CLI_TIME_LIMIT, "nobody was attached to it for too long" },
	{ LAUNCH_DELETED, CLI_KILLED, "it was deleted" },
};

static int by_reason(const char *id, enum launch_reason reason, int code, int signal,
		     const char *error)
{
	if (reason == LAUNCH_EXITED)
		return code;
	if (reason == LAUNCH_SIGNALLED) {
		cli_note("%s ended: signal %d (%s)", id, signal, strsignal(signal));
		return 128 + signal;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].reason != reason)
			continue;
		cli_note("%s ended: %s", id, rows[i].text);
		return rows[i].code;
	}
	cli_note("%s ended by an error%s%s", id, *error ? ": " : "", error);
	return CLI_NOT_RUN;
}

/* A server's ways of closing without EXIT (docs/protocol.md). */
static const char *close_text(unsigned code)
{
	static const struct {
		unsigned code;
		const char *text;
	} texts[] = {
		{ 1001, "the server asks to attach again" },
		{ 4001, "another writer took over" },
		{ 4003, "forbidden" },
		{ 4404, "there is no such sandbox" },
		{ 4410, "it was deleted" },
		{ 4429, "too many clients are attached" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].code == code)
			return texts[i].text;
	return "the connection broke";
}

int report_end(const char *id, const struct terminal_end *t, const struct launch_exit *left)
{
	enum launch_reason reason = LAUNCH_ERROR;
	struct err ignored;

	if (t->lost)
		cli_note("%llu bytes of output were lost: they came faster than they were read",
			 (unsigned long long) t->lost);
	if (t->error[0])
		cli_note("%s", t->error);
	if (t->exited) {
		(void) launch_reason_parse(t->reason, &reason, &ignored);
		return by_reason(id, reason, t->code, t->signal, "");
	}
	if (left)
		return by_reason(id, left->reason, left->code, left->signal, left->error);
	if (!t->error[0])
		cli_note("%s: %s%s%s", id, close_text(t->close_code),
			 t->close_reason[0] ? ": " : "", t->close_reason);
	return CLI_NOT_RUN;
}
