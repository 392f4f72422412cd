/*
 * What the files of init share: its state, and the steps that build the container's tree (init_tree.c).
 */
#ifndef CARREL_RUNTIME_INIT_IMPL_H
#define CARREL_RUNTIME_INIT_IMPL_H

#include "runtime/init.h"
#include "runtime/mask.h"
#include "runtime/spec.h"

struct err;

struct init {
	const struct init_args *a;
	const struct spec *spec;
	int ns_fds[NS_COUNT];
	int root_fd; /* the container's root, in our mount namespace */
	int proc_fd; /* procfs_open; -1: nothing needs it */
	struct mask mask;
	int *late_fds; /* of mounts that init_seal_root makes read-only; FD_NONE in between */
	int report_fd; /* where the next failure goes (borrowed) */
	int start_conn;
	char *state_json, *notify_state; /* with our pid */
};

static inline bool init_has_userns(const struct init *in)
{
	return ns_has(&in->spec->ns, NS_USER);
}

int init_attach_root(struct init *in, struct err *e);
int init_attach_mounts(struct init *in, struct err *e);
int init_make_devices(struct init *in, struct err *e);
int init_open_console(struct init *in, struct err *e);
int init_enter_root(struct init *in, struct err *e);
int init_make_cwd(struct init *in, struct err *e);
int init_cover_paths(struct init *in, struct err *e);
int init_seal_root(struct init *in, struct err *e);

#endif
