/*
 * Volumes for sandboxes: carrel-image makes and removes them, whatever it is killed over leaves a volume whole or absent.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"
#include "sessiond/launch_internal.h"

/* As carrel-image volume exits. */
enum { VOLUME_ABSENT = 3, VOLUME_IN_USE = 4 };

struct volume_call {
	struct volume_call *next;
	struct launch *launch;
	launch_fn fn; /* NULL: nobody waits any more */
	void *arg;
};

bool launch_volume_there(const struct launch *l, const char *name)
{
	auto_free char *path = xasprintf("%s/%s/volume.json", l->config.volumes, name);

	return access(path, F_OK) == 0;
}

static void unlink_call(struct volume_call *c)
{
	for (struct volume_call **p = &c->launch->volume_calls; *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		return;
	}
}

static int judge(const struct child_status *status, const char *text, struct err *e)
{
	if (status->signalled)
		return err_set(e, EIO, "carrel-image was ended by signal %d", status->code);
	if (status->code == 0)
		return 0;
	launch_image_words("volume", text, e);
	e->code = status->code == VOLUME_ABSENT	  ? ENOENT
		  : status->code == VOLUME_IN_USE ? EBUSY
						  : EIO;
	return -1;
}

static void on_done(void *arg, const struct child_status *status, const char *text)
{
	struct volume_call *c = arg;
	struct err e = ERR_NONE;
	int r = judge(status, text, &e);

	unlink_call(c);
	if (c->fn)
		c->fn(c->arg, r < 0 ? &e : NULL);
	free(c);
}

static struct volume_call *call(struct launch *l, char *const *argv, launch_fn fn, void *arg,
				struct err *e)
{
	struct volume_call *c = xalloc(sizeof(*c));

	*c = (struct volume_call){ .launch = l, .fn = fn, .arg = arg };
	if (!launch_child_start(l, l->config.image, argv, true, -1, on_done, c, e)) {
		free(c);
		return NULL;
	}
	c->next = l->volume_calls;
	l->volume_calls = c;
	return c;
}

struct volume_call *launch_volume_make(struct launch *l, const struct launch_volume *v,
				       launch_fn fn, void *arg, struct err *e)
{
	auto_free char *size = xasprintf("%llu", (unsigned long long) v->size);
	char *argv[] = { (char *) "carrel-image", (char *) "--log-format",
			 (char *) "json",	  (char *) "volume",
			 (char *) "--volumes",	  (char *) l->config.volumes,
			 (char *) "--size",	  size,
			 (char *) "--kind",	  (char *) (v->kind ? v->kind : "auto"),
			 (char *) "--if-missing", (char *) "create",
			 (char *) v->name,	  NULL };

	return call(l, argv, fn, arg, e);
}

void launch_volume_forget(struct volume_call *c)
{
	if (c)
		c->fn = NULL;
}

int launch_volume_remove(struct launch *l, const char *name, launch_fn fn, void *arg,
			 struct err *e)
{
	char *argv[] = {
		(char *) "carrel-image", (char *) "--log-format", (char *) "json",
		(char *) "volume",	 (char *) "--volumes",	  (char *) l->config.volumes,
		(char *) "rm",		 (char *) name,		  NULL
	};

	return call(l, argv, fn, arg, e) ? 0 : -1;
}

void launch_volumes_end(struct launch *l)
{
	for (struct volume_call *c; (c = l->volume_calls);) {
		l->volume_calls = c->next;
		free(c);
	}
}
