/*
 * The systemd driver: the container's control group is that of a transient unit, which systemd makes and removes.
 *
 * linux.cgroupsPath is "SLICE:PREFIX:NAME": the unit PREFIX-NAME.scope in SLICE. A NAME that ends in ".slice" is that
 * slice itself. Where the unit's directories are follows from these names, so that it is known before it is made; once it
 * is, systemd's word is compared. Limits go to systemd, which would undo them otherwise, and into the files.
 *
 * A scope may not be empty when it is made: carrel-sdbus is its first process (runtime/systemd/main.c), and it leaves when
 * the container's is inside (cgroup_settle). A limit of few processes is set only then.
 */
#ifndef CARREL_RUNTIME_CGROUP_SYSTEMD_H
#define CARREL_RUNTIME_CGROUP_SYSTEMD_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/cgroup.h"
#include "runtime/sdbus.h"

struct buf;
struct err;

struct unit_names {
	char *unit, *slice; /* "carrel-box.scope", "a-b.slice" */
	char *path; /* below the manager's own group: "a.slice/a-b.slice/carrel-box.scope" */
	bool user;  /* of the user manager */
};
void unit_names_fini(struct unit_names *n);

/* From linux.cgroupsPath and the id. Text only. */
int unit_names_choose(const struct cgroup_spec *s, struct unit_names *out, struct err *e);
bool unit_name_is_valid(const char *name);
/* "a-b.slice" -> "a.slice/a-b.slice"; "-.slice" -> "". */
int unit_slice_expand(const char *slice, char **out, struct err *e);

/* ---- for cgroup.c ---- */

struct cgroup_unit {
	char *name;
	bool user;
	struct sdbus bus; /* runs from the start on until the container's process is inside */
	int64_t tasks;	  /* a limit of processes that waits until then, or CGROUP_UNSET */
	const char *pids_max;		/* the same from linux.resources.unified, or NULL */
	struct cgroup_resources others; /* with it; their strings are the spec's */
	void *kept;
};
/* "unit user NAME", a line of the state text. */
int cgroup_unit_load(const char *line, struct cgroup_unit **out, struct err *e);
struct cgroup_unit *cgroup_unit_new(const char *name, bool user);
void cgroup_unit_free(struct cgroup_unit *u);

/* The names, and the directory below the hierarchies' roots: asks the user manager where it is. */
int cgroup_systemd_plan(const struct cgroup_spec *s, struct unit_names *out, char **path,
			struct err *e);
/* Starts the unit of the plan with its limits. *res is what the files are to say: without a limit of processes that has to wait, and
 * rounded as systemd does. */
int cgroup_systemd_start(const struct cgroup_spec *s, struct cgroup *cg,
			 struct cgroup_resources *res, struct err *e);
/* After the files: tells systemd. It writes all of its own anew then, so the files are to be written once more, as *r says
 * afterwards. */
int cgroup_systemd_update(struct cgroup *cg, struct cgroup_resources *r, struct err *e);
/* A quota in steps of a hundredth of a processor, upwards: what systemd will write, too. */
void cgroup_systemd_round(struct cgroup_resources *r);
/* A child can be born inside (v2). */
bool cgroup_systemd_may_clone(const struct cgroup *cg);
int cgroup_systemd_stop(struct cgroup *cg, struct err *e);

/* ---- cgroup_systemd_props.c: the lines of a request ---- */

enum unit_part { UNIT_ALL_BUT_TASKS, UNIT_TASKS, UNIT_ALL };
/* Limits as properties. `devices` adds what the container's own filter could ever allow. */
int unit_put_limits(const struct cgroup_resources *r, bool v2, enum unit_part part,
		    struct buf *out, struct err *e);
int unit_put_devices(const struct cgroup_resources *r, struct buf *out, struct err *e);
/* What the annotations org.systemd.property.NAME ask for; others than the harmless are refused. *dependencies says
 * whether DefaultDependencies was among them. */
int unit_put_annotations(const struct cgroup_pair *a, size_t n, struct buf *out,
			 bool *dependencies, struct err *e);
/* "0-3,8" as the bytes of a mask, in hexadecimal digits. */
int unit_cpu_mask(const char *list, const char *field, struct buf *out, struct err *e);

#endif
