#include "sessiond/cli/local.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/helper.h"
#include "base/json.h"
#include "base/sock.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/place.h"

enum { UID_BASE = 524288, UID_COUNT = 65536, UID_SLOTS = 4096, READY_MS = 60000 };

/* Every string is malloc'ed; launch_new copies them. */
struct places {
	char *run_dir, *store, *volumes, *tiers, *seccomp, *image, *shim, *runtime, *init,
		*scanner, *policy_key;
};

static void places_fini(struct places *p)
{
	char *all[] = { p->run_dir, p->store,	p->volumes, p->tiers,	p->seccomp,   p->image,
			p->shim,    p->runtime, p->init,    p->scanner, p->policy_key };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		free(all[i]);
}

static char *beside(const char *path, const char *name)
{
	return xasprintf("%.*s/%s", (int) (strrchr(path, '/') - path), path, name);
}

static int find(const struct local_options *o, struct places *p, struct err *e)
{
	p->run_dir = place_absolute(o->run_dir ? o->run_dir : "/run/carrel", e);
	p->store = place_absolute(o->store ? o->store : "/var/lib/carrel/store", e);
	p->volumes = place_absolute(o->volumes ? o->volumes : "/var/lib/carrel/volumes", e);
	p->image = place_program("carrel-image", e);
	p->shim = place_program("carrel-shim", e);
	p->init = place_program("carrel-init", e);
	p->runtime =
		o->runtime ? place_absolute(o->runtime, e) : place_program("carrel-runtime", e);
	if (!p->run_dir || !p->store || !p->volumes || !p->image || !p->shim || !p->init ||
	    !p->runtime)
		return -1;
	/* Where the daemon of such a store has its own. */
	p->policy_key = p->store ? beside(p->store, "policy.key") : NULL;
	p->scanner = o->with_bundles ? helper_find("carrel-scan") : NULL;
	if (o->with_bundles && !(p->seccomp = place_data(o->seccomp, "seccomp.json", e)))
		return -1;
	if (o->with_tiers && !(p->tiers = place_data(o->tiers, "tiers.yaml", e)))
		return -1;
	return 0;
}

int local_open(struct loop *loop, const struct local_options *o, struct launch **out,
	       struct err *e)
{
	struct places p = { 0 };
	struct launch_config c = { .uid_base = UID_BASE,
				   .uid_count = UID_COUNT,
				   .uid_slots = UID_SLOTS,
				   .ready_ms = READY_MS };
	int r;

	if (geteuid() != 0)
		return err_set(
			e, EPERM,
			"sandboxes of this host are root's; run as root, or name a daemon "
			"with --url and a key");
	r = find(o, &p, e);
	if (r == 0) {
		c.run_dir = p.run_dir;
		c.store = p.store;
		c.volumes = p.volumes;
		c.tiers = p.tiers;
		c.image = p.image;
		c.shim = p.shim;
		c.runtime = p.runtime;
		c.init = p.init;
		c.seccomp = p.seccomp;
		c.scanner = p.scanner;
		c.policy_key = p.policy_key;
		c.cgroup = o->cgroup;
		r = launch_new(loop, &c, out, e);
	}
	places_fini(&p);
	return r;
}

static int print_request(const struct local_attach *a, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_str(w, "op", "attach");
	jw_str(w, "framing", "packet");
	jw_str(w, "role", a->viewer ? "viewer" : "writer");
	jw_str(w, "client", "carrel");
	if (a->process)
		jw_uint(w, "process", a->process);
	if (a->has_since)
		jw_uint(w, "since", a->since);
	if (a->cols && a->rows) {
		jw_uint(w, "cols", a->cols);
		jw_uint(w, "rows", a->rows);
	}
	jw_close(w);
	return json_writer_end(w, e);
}

int local_attach(struct launch *l, const struct local_attach *a, shim_answer_fn fn, void *arg,
		 int *fd, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(4096);
	struct shim_request rq = { 0 };
	int64_t call;
	int ends[2];

	if (print_request(a, &text, e) < 0 || sock_pair(SOCK_STREAM, ends, e) < 0)
		return -1;
	rq.json = buf_str(&text);
	rq.fd = ends[1];
	call = shim_call(l, a->id, &rq, fn, arg, e);
	/* It was sent along with the request. */
	fd_close(&ends[1]);
	if (call < 0) {
		fd_close(&ends[0]);
		return -1;
	}
	*fd = ends[0];
	return 0;
}
