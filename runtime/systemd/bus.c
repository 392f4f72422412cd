#include "runtime/systemd/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/util.h"

static uint64_t now_us(void)
{
	return clock_mono_ns() / 1000;
}

int bus_error(struct err *e, int r, const char *what)
{
	errno = -r;
	return err_sys(e, "%s", what);
}

void bus_set_timeout(struct bus *b, uint64_t ms)
{
	b->deadline = now_us() + ms * 1000;
}

uint64_t bus_left(const struct bus *b)
{
	const uint64_t now = now_us();

	return now < b->deadline ? b->deadline - now : 1;
}

/* ---- connecting ---- */

/* Where a manager can be met, the first that answers is taken. `direct` is its own socket, where there is no message bus
 * in between that has to be greeted. */
struct place {
	char *address;
	bool direct;
};

enum { PLACES_MAX = 3 };

/* D-Bus addresses are escaped; these are the characters that need not be. */
static char *unix_address(const char *dir, const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_/.";
	auto_free char *path = xasprintf("%s/%s", dir, name);
	auto_free char *escaped = xalloc(strlen(path) * 3 + 1);
	size_t n = 0;

	for (const char *p = path; *p; p++) {
		if (strchr(plain, *p)) {
			escaped[n++] = *p;
		} else {
			escaped[n++] = '%';
			str_hex(p, 1, escaped + n);
			n += 2;
		}
	}
	escaped[n] = '\0';
	return xasprintf("unix:path=%s", escaped);
}

static size_t system_places(struct place *p)
{
	const char *given = getenv("DBUS_SYSTEM_BUS_ADDRESS");
	size_t n = 0;

	if (given && *given) {
		p[n++] = (struct place){ xstrdup(given), false };
		return n;
	}
	if (geteuid() == 0)
		p[n++] = (struct place){ unix_address("/run/systemd", "private"), true };
	p[n++] = (struct place){ unix_address("/run/dbus", "system_bus_socket"), false };
	return n;
}

static size_t user_places(struct place *p)
{
	const char *given = getenv("DBUS_SESSION_BUS_ADDRESS");
	const char *dir = getenv("XDG_RUNTIME_DIR");
	auto_free char *own = xasprintf("/run/user/%u", (unsigned) geteuid());
	size_t n = 0;

	if (!dir || dir[0] != '/')
		dir = own;
	if (given && *given)
		p[n++] = (struct place){ xstrdup(given), false };
	p[n++] = (struct place){ unix_address(dir, "systemd/private"), true };
	p[n++] = (struct place){ unix_address(dir, "bus"), false };
	return n;
}

static int connect_to(const struct place *p, const struct bus *b, sd_bus **out)
{
	sd_bus *sd = NULL;
	int r = sd_bus_new(&sd);

	if (r < 0)
		return r;
	r = sd_bus_set_address(sd, p->address);
	if (r >= 0 && !p->direct)
		r = sd_bus_set_bus_client(sd, true);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(sd, bus_left(b));
	if (r >= 0)
		r = sd_bus_start(sd);
	/* The greeting: the peer may be a socket on which nobody reads. */
	while (r >= 0 && sd_bus_is_ready(sd) == 0) {
		r = sd_bus_process(sd, NULL);
		if (r == 0)
			r = sd_bus_wait(sd, bus_left(b));
		if (r >= 0 && bus_left(b) == 1)
			r = -ETIMEDOUT;
	}
	if (r < 0) {
		sd_bus_close_unref(sd);
		return r;
	}
	*out = sd;
	return 0;
}

static int remedy(bool user, struct err *e)
{
	if (user)
		return err_hint(e,
				"log in through PAM or run \"loginctl enable-linger\" for this "
				"user, or use cgroupfs (--cgroup-manager cgroupfs, without "
				"--systemd-cgroup)");
	return err_hint(e, "use cgroupfs (--cgroup-manager cgroupfs, without --systemd-cgroup) "
			   "where systemd does not run");
}

int bus_open(bool user, struct bus *b, struct err *e)
{
	struct place places[PLACES_MAX] = { 0 };
	const size_t n = user ? user_places(places) : system_places(places);
	int r = -ENOENT;

	b->user = user;
	for (size_t i = 0; i < n && !b->sd; i++) {
		/* The first place that is there says what is wrong: one that is not there says nothing. */
		const int own = connect_to(&places[i], b, &b->sd);

		if (i == 0 || (r == -ENOENT && own != -ENOENT))
			r = own;
	}
	if (!b->sd) {
		errno = -r;
		(void) err_sys(e, "the %s manager of systemd cannot be reached (%s)",
			       user ? "user" : "system", places[n - 1].address);
		(void) remedy(user, e);
	}
	for (size_t i = 0; i < n; i++)
		free(places[i].address);
	return b->sd ? 0 : -1;
}

void bus_close(struct bus *b)
{
	sd_bus_close_unref(b->sd);
	b->sd = NULL;
}

/* ---- calling ---- */

int bus_new_call(const struct bus *b, const char *method, sd_bus_message **out, struct err *e)
{
	const int r = sd_bus_message_new_method_call(b->sd, out, BUS_SYSTEMD, BUS_PATH,
						     BUS_MANAGER, method);

	return r < 0 ? bus_error(e, r, method) : 0;
}

static bool nobody_there(const char *name)
{
	return strcmp(name, SD_BUS_ERROR_SERVICE_UNKNOWN) == 0 ||
	       strcmp(name, SD_BUS_ERROR_NAME_HAS_NO_OWNER) == 0 ||
	       str_has_prefix(name, "org.freedesktop.DBus.Error.Spawn.");
}

static int call_failed(const struct bus *b, const char *method, int r,
		       const sd_bus_error *error, struct err *e)
{
	if (r == -ETIMEDOUT || sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY))
		return err_set(e, ETIMEDOUT, "%s: systemd does not answer", method);
	if (error->name && nobody_there(error->name)) {
		(void) err_set(e, ENOENT, "%s: systemd is not on this bus", method);
		return remedy(b->user, e);
	}
	if (error->message)
		return err_set(e, r < 0 ? -r : EIO, "%s: %s", method, error->message);
	return bus_error(e, r, method);
}

int bus_call(const struct bus *b, sd_bus_message *m, const char *expected,
	     sd_bus_message **reply, struct err *e)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_call(b->sd, m, bus_left(b), &error, reply);

	if (r < 0) {
		r = expected && sd_bus_error_has_name(&error, expected)
			    ? 1
			    : call_failed(b, sd_bus_message_get_member(m), r, &error, e);
	} else {
		r = 0;
	}
	sd_bus_error_free(&error);
	sd_bus_message_unref(m);
	return r;
}
