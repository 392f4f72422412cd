/* Why CRIU said no: its own words, the last errors in its log, and what the user can do about the usual ones. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "runtime/criu.h"

enum { TAIL = 64 << 10, LINE_SHOWN = 140, LINES_SHOWN = 2 };

/* By what its log says. */
static const struct {
	const char *text, *remedy;
} remedies[] = {
	{ "tcp-established", "use --tcp-established" },
	{ "Connected TCP socket", "use --tcp-established" },
	{ "in-flight", "use --tcp-skip-in-flight" },
	{ "ext-unix-sk", "use --ext-unix-sk" },
	{ "unix connection", "use --ext-unix-sk" },
	{ "file locks", "use --file-locks" },
	{ "file-locks", "use --file-locks" },
	{ "shell-job", "use --shell-job, or run it with its standard streams on pipes or a "
		       "terminal of its own" },
	{ "link remap", "use --link-remap" },
	{ "link-remap", "use --link-remap" },
	{ "iptables", "install iptables, or set network-lock in criu's configuration file" },
	{ "ip6tables", "install iptables, or set network-lock in criu's configuration file" },
	{ "Can't lookup mount",
	  "a file of the host is open: run it with its standard streams on pipes, "
	  "/dev/null or a terminal" },
	{ "unreachable sharing",
	  "its mounts must be private: \"rprivate\" among their options" },
	{ "inventory.img", "is --image-path the directory of a whole checkpoint?" },
};

/* Of a log that only appends: what is at its end. "" when there is none. */
static char *read_tail(int dir_fd, const char *log)
{
	auto_close int fd =
		openat(dir_fd, log, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	auto_free char *text = xalloc(TAIL + 1);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return take_ptr(&text);
	const off_t from = st.st_size > TAIL ? st.st_size - TAIL : 0;
	const ssize_t n = pread(fd, text, TAIL, from);
	for (ssize_t i = 0; i < n; i++) {
		const char c = text[i];

		if (c != '\n' && (c < ' ' || c > '~'))
			text[i] = '.';
	}
	text[n < 0 ? 0 : n] = '\0';
	return take_ptr(&text);
}

static const char *find_remedy(const char *text)
{
	for (size_t i = 0; text && i < ARRAY_SIZE(remedies); i++) {
		if (strstr(text, remedies[i].text))
			return remedies[i].remedy;
	}
	return NULL;
}

struct found {
	const char *line[LINES_SHOWN]; /* the last ones, the newest first; "Error (" onwards */
	const char *remedy;	       /* of the last line that has one */
};

/* Cuts the text into lines. The very last error only repeats that it failed. */
static void search(char *text, struct found *f)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *error = strstr(line, "Error (");
		const char *remedy = find_remedy(error ? error : strstr(line, "Warn  ("));

		if (remedy)
			f->remedy = remedy;
		if (!error || strstr(error, " FAILED."))
			continue;
		f->line[1] = f->line[0];
		f->line[0] = error;
	}
}

int criu_explain(const struct criu_reply *r, const char *what, int dir_fd, const char *dir,
		 const char *log, struct err *e)
{
	auto_free char *text = read_tail(dir_fd, log);
	struct found f = { 0 };

	search(text, &f);
	(void) err_set(e, r->error > 0 ? r->error : EIO, "criu did not %s", what);
	/* The first error of all, which need not be the one that mattered. */
	if (!f.line[0] && (r->message[0] || r->error > 0))
		(void) err_hint(e, "it says \"%.100s\"",
				r->message[0] ? r->message : strerror(r->error));
	if (f.line[1])
		(void) err_hint(e, "%s in %.80s: \"%.*s\", \"%.*s\"", log, dir, LINE_SHOWN,
				f.line[1], LINE_SHOWN, f.line[0]);
	else if (f.line[0])
		(void) err_hint(e, "%s in %.80s: \"%.*s\"", log, dir, LINE_SHOWN, f.line[0]);
	else
		(void) err_hint(e, "see %s in %.80s", log, dir);
	if (f.remedy)
		(void) err_hint(e, "%s", f.remedy);
	return -1;
}
