#include "sessiond/volume_sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/util.h"
#include "sessiond/launch.h"
#include "sessiond/server.h"
#include "sessiond/volumes.h"

enum {
	SWEEP_MAX = 256
}; /* processes at once; the rest has time until the start after this one */

struct condemned {
	struct server *server;
	char id[VOLUME_ID_LEN + 1];
};

static void on_removed(void *arg, const struct err *err)
{
	struct condemned *x = arg;
	struct err e = ERR_NONE;

	if (err && err->code != ENOENT)
		log_error("volume %s is still to be removed: %s", x->id, err->msg);
	else if (volume_forget(x->server->db, x->id, &e) < 0)
		log_error("volume %s: %s", x->id, e.msg);
	free(x);
}

int volume_sweep(struct server *server, struct err *e)
{
	char ids[SWEEP_MAX][VOLUME_ID_LEN + 1];
	size_t n;

	if (volume_condemned(server->db, ids, SWEEP_MAX, &n, e) < 0)
		return err_wrap(e, "volumes that are to be removed");
	for (size_t i = 0; i < n; i++) {
		struct condemned *x = xalloc(sizeof(*x));
		struct err why = ERR_NONE;

		x->server = server;
		memcpy(x->id, ids[i], sizeof(x->id));
		if (launch_volume_remove(server->launch, x->id, on_removed, x, &why) < 0)
			on_removed(x, &why);
	}
	return 0;
}
