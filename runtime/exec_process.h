/* What exec runs: a process.json, or the bundle's own process changed by the command line. */
#ifndef CARREL_RUNTIME_EXEC_PROCESS_H
#define CARREL_RUNTIME_EXEC_PROCESS_H

struct err;
struct exec_args;
struct spec;
struct state;

/* Everything but --user and --additional-gids, which need the container's root. */
int exec_process_load(const struct state *s, const struct exec_args *a, struct spec **out,
		      struct err *e);
/* In the new process, after the user is known: --additional-gids on top of it. */
int exec_process_groups(const struct exec_args *a, struct spec *spec, struct err *e);

#endif
