/*
 * What a container looks like from inside: a static program with tables of probes, for images that have nothing.
 *
 *   guest PROBE [ARG...] [-- PROBE [ARG...]]...
 *
 * Each prints one line per fact, "name value"; an attempt prints "name ok" or the name of the errno. The exit code
 * is 0 unless the command line is wrong: what the facts should be is the test's business.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/guest/probes.h"

void attempt(const char *what, const char *on, long r)
{
	printf("%s%s%s %s\n", what, on[0] ? " " : "", on,
	       r < 0 ? strerrorname_np(errno) : "ok");
}

static const struct probe *find(const char *name)
{
	static const struct probe *const tables[] = { process_probes, file_probes,
						      attempt_probes };

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct probe *p = tables[i]; p->name; p++) {
			if (strcmp(p->name, name) == 0)
				return p;
		}
	}
	return NULL;
}

static int run_one(char **argv, int n)
{
	const struct probe *p = n > 0 ? find(argv[0]) : NULL;

	if (!p || n - 1 < p->args) {
		fprintf(stderr, "guest: unknown probe or missing argument: %s\n",
			n > 0 ? argv[0] : "");
		return 2;
	}
	p->run(argv + 1);
	(void) fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	int start = 1;

	for (int i = 1; i <= argc; i++) {
		if (i < argc && strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		const int r = run_one(argv + start, i - start);
		if (r != 0)
			return r;
		start = i + 1;
	}
	return 0;
}
