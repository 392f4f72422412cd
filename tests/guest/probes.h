/* A probe of the guest, which prints one line per fact, and the tables of them by theme. */
#ifndef CARREL_TESTS_GUEST_PROBES_H
#define CARREL_TESTS_GUEST_PROBES_H

struct probe {
	const char *name;
	int args; /* at least so many */
	void (*run)(char **a);
};

/* Each ends with a row without a name. */
extern const struct probe process_probes[], file_probes[], attempt_probes[];

/* "WHAT ON ok", or the name of errno where r is negative. ON may be empty. */
void attempt(const char *what, const char *on, long r);

/* In files.c; also what an escape looks around with. */
void probe_stat(char **a);

#endif
