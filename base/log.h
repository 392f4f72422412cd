/*
 * One line per event, as text or JSON. Programs log; libraries may call log_debug.
 *
 * Text:  time="2026-03-01T12:00:00Z" level=error msg="..."
 * JSON:  {"level":"error","msg":"...","time":"2026-03-01T12:00:00Z"}
 * The sink is set once by main; without log_open everything but log_debug goes to stderr as text and
 * log_debug goes nowhere. Never pass secrets or what users type.
 */
#ifndef CARREL_BASE_LOG_H
#define CARREL_BASE_LOG_H

#include <stdbool.h>

struct err;

enum log_level { LOG_LV_DEBUG, LOG_LV_INFO, LOG_LV_WARN, LOG_LV_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* fd is borrowed for the life of the process (2 for stderr). */
void log_open(int fd, enum log_format format, enum log_level min);
int log_level_parse(const char *s, enum log_level *out, struct err *e);
int log_format_parse(const char *s, enum log_format *out, struct err *e);
/* log_open by the options' words; NULL: text, and info. */
int log_open_named(int fd, const char *format, const char *level, struct err *e);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_info(...)  log_line(LOG_LV_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LV_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_LV_ERROR, __VA_ARGS__)

bool log_wants(enum log_level level);
/* Costs next to nothing where nobody wants it. */
#define log_debug(...)                                                                         \
	do {                                                                                   \
		if (log_wants(LOG_LV_DEBUG))                                                   \
			log_line(LOG_LV_DEBUG, __VA_ARGS__);                                   \
	} while (0)

#endif
