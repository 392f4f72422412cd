/* What is said and returned when a terminal's sandbox has ended. */
#ifndef CARREL_SESSIOND_CLI_REPORT_H
#define CARREL_SESSIOND_CLI_REPORT_H

struct launch_exit;
struct terminal_end;

/* The exit code; anything but a plain exit is told on stderr. left: what the shim's directory said, or NULL; used when the
 * terminal heard no EXIT. */
int report_end(const char *id, const struct terminal_end *t, const struct launch_exit *left);

#endif
