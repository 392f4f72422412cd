#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/util.h"

enum { MSG_MAX = 2048, LINE_MAX_BYTES = 4096 };

/* The one thing that a process has once: where its lines go. Set by main before anything runs. */
static struct {
	int fd;
	enum log_format format;
	enum log_level min;
} sink = { .fd = STDERR_FILENO, .format = LOG_TEXT, .min = LOG_LV_INFO };

static const char *const level_names[] = {
	[LOG_LV_DEBUG] = "debug",
	[LOG_LV_INFO] = "info",
	[LOG_LV_WARN] = "warning",
	[LOG_LV_ERROR] = "error",
};

void log_open(int fd, enum log_format format, enum log_level min)
{
	sink.fd = fd;
	sink.format = format;
	sink.min = min;
}

int log_level_parse(const char *s, enum log_level *out, struct err *e)
{
	if (strcmp(s, "warn") == 0)
		s = "warning";
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (strcmp(s, level_names[i]) == 0) {
			*out = (enum log_level) i;
			return 0;
		}
	}
	return err_set(e, EINVAL, "log level \"%.40s\" is none of debug, info, warn, error", s);
}

int log_format_parse(const char *s, enum log_format *out, struct err *e)
{
	if (strcmp(s, "text") == 0)
		*out = LOG_TEXT;
	else if (strcmp(s, "json") == 0)
		*out = LOG_JSON;
	else
		return err_set(e, EINVAL, "log format \"%.40s\" is neither text nor json", s);
	return 0;
}

int log_open_named(int fd, const char *format, const char *level, struct err *e)
{
	enum log_format f = LOG_TEXT;
	enum log_level l = LOG_LV_INFO;

	if ((format && log_format_parse(format, &f, e) < 0) ||
	    (level && log_level_parse(level, &l, e) < 0))
		return -1;
	log_open(fd, f, l);
	return 0;
}

bool log_wants(enum log_level level)
{
	return level >= sink.min;
}

/* The bytes that stand for one character of the message; both formats are readable by either's rules
 * except for control characters. Returns how many bytes of s it covers. */
static size_t escape(const unsigned char *s, size_t n, enum log_format format, char out[8])
{
	size_t k = str_utf8_len(s, n);

	if (k == 0)
		(void) snprintf(out, 8, "\xef\xbf\xbd");
	else if (s[0] == '"' || s[0] == '\\')
		(void) snprintf(out, 8, "\\%c", s[0]);
	else if (s[0] == '\n')
		(void) snprintf(out, 8, "\\n");
	else if (s[0] == '\t')
		(void) snprintf(out, 8, "\\t");
	else if (s[0] < 0x20 || s[0] == 0x7f)
		(void) snprintf(out, 8, format == LOG_JSON ? "\\u%04x" : "\\x%02x", s[0]);
	else if (s[0] == 0xc2 && k == 2 && s[1] < 0xa0)
		(void) snprintf(out, 8, "\\u%04x", s[1]);
	else
		(void) snprintf(out, 8, "%.*s", (int) k, s);
	return MAX(k, 1u);
}

static size_t add_escaped(char *line, size_t n, size_t cap, const char *msg)
{
	size_t left = strlen(msg);
	char one[8];

	while (left) {
		size_t k = escape((const unsigned char *) msg, left, sink.format, one);
		size_t w = strlen(one);

		if (n + w + 3 > cap) {
			memcpy(line + n, "...", 4);
			return n + 3;
		}
		memcpy(line + n, one, w + 1);
		n += w;
		msg += k;
		left -= k;
	}
	return n;
}

/* One write per line, so that the lines of several processes do not mix in one file. */
static void emit(const char *line, size_t n)
{
	while (n) {
		ssize_t r = write(sink.fd, line, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return; /* there is nowhere left to say it */
		line += r;
		n -= (size_t) r;
	}
}

void log_line(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	char msg[MSG_MAX], line[LINE_MAX_BYTES], tail[64] = "\"";
	struct clock_stamp now;
	va_list ap;
	size_t n;
	int r;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	r = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (r < 0)
		msg[0] = '\0';
	if (r >= (int) sizeof(msg))
		memcpy(msg + sizeof(msg) - 4, "...", 4);

	now = clock_rfc3339_ms(clock_real_ms());
	memcpy(now.s + 19, "Z", 2); /* whole seconds */
	if (sink.format == LOG_JSON) {
		n = (size_t) snprintf(line, sizeof(line), "{\"level\":\"%s\",\"msg\":\"",
				      level_names[level]);
		(void) snprintf(tail, sizeof(tail), "\",\"time\":\"%s\"}", now.s);
	} else {
		n = (size_t) snprintf(line, sizeof(line), "time=\"%s\" level=%s msg=\"", now.s,
				      level_names[level]);
	}
	n = add_escaped(line, n, sizeof(line) - sizeof(tail) - 1, msg);
	n += (size_t) snprintf(line + n, sizeof(line) - n, "%s\n", tail);
	emit(line, n);
	errno = saved;
}
