#include "images/user.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/path.h"
#include "base/str.h"
#include "base/util.h"

enum { FIELD_MAX = 256, FIELDS = 7 };

/* One line of passwd or group; fields that are too long are cut, and then fit nothing. */
struct line {
	const char *field[FIELDS];
	size_t len[FIELDS];
	size_t n;
};

static bool next_line(const char **text, struct line *out)
{
	const char *p = *text, *end;

	if (!*p)
		return false;
	end = p + strcspn(p, "\n");
	*out = (struct line){ 0 };
	while (out->n < FIELDS) {
		size_t n = 0;

		while (p + n < end && p[n] != ':')
			n++;
		out->field[out->n] = p;
		out->len[out->n++] = n;
		if (p + n == end)
			break;
		p += n + 1;
	}
	*text = *end ? end + 1 : end;
	return true;
}

static bool field_is(const struct line *l, size_t i, const char *s)
{
	return i < l->n && l->len[i] == strlen(s) && memcmp(l->field[i], s, l->len[i]) == 0;
}

static bool field_id(const struct line *l, size_t i, uint32_t *out)
{
	struct err ignored = ERR_NONE;
	char digits[16];

	if (i >= l->n || l->len[i] >= sizeof(digits))
		return false;
	memcpy(digits, l->field[i], l->len[i]);
	digits[l->len[i]] = '\0';
	return str_to_id(digits, "id", out, &ignored) == 0;
}

static void field_copy(const struct line *l, size_t i, char *out, size_t n)
{
	out[0] = '\0';
	if (i >= l->n || l->len[i] >= n)
		return;
	memcpy(out, l->field[i], l->len[i]);
	out[l->len[i]] = '\0';
}

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static void take_line(const struct line *l, struct user *out)
{
	field_copy(l, 0, out->name, sizeof(out->name));
	field_copy(l, 5, out->home, sizeof(out->home));
	/* It goes into HOME and becomes a mount point: only a clean path may. */
	if (!path_is_clean_absolute(out->home) ||
	    out->home[strcspn(out->home,
			      "\001\002\003\004\005\006\007\010\011\012\013\014\015"
			      "\016\017\020\021\022\023\024\025\026\027\030\031\032\033"
			      "\034\035\036\037\177")])
		out->home[0] = '\0';
}

static int find_user(const char *who, const char *passwd, struct user *out, struct err *e)
{
	bool by_id = is_number(who);
	struct line l;
	uint32_t id;

	if (by_id && str_to_id(who, "user", &out->uid, e) < 0)
		return -1;
	while (next_line(&passwd, &l)) {
		if (by_id ? !field_id(&l, 2, &id) || id != out->uid : !field_is(&l, 0, who))
			continue;
		if (!field_id(&l, 2, &out->uid) || !field_id(&l, 3, &out->gid))
			return err_set(e, EINVAL,
				       "user %.60s: its line in the image's passwd "
				       "has no valid ids",
				       who);
		take_line(&l, out);
		return 0;
	}
	if (by_id)
		return 0;
	return err_set(e, ENOENT, "user %.60s: not in the image's /etc/passwd", who);
}

static int find_group(const char *who, const char *group, uint32_t *out, struct err *e)
{
	struct line l;

	if (is_number(who))
		return str_to_id(who, "group", out, e);
	while (next_line(&group, &l)) {
		if (!field_is(&l, 0, who))
			continue;
		if (!field_id(&l, 2, out))
			return err_set(e, EINVAL,
				       "group %.60s: its line in the image's group "
				       "has no valid id",
				       who);
		return 0;
	}
	return err_set(e, ENOENT, "group %.60s: not in the image's /etc/group", who);
}

static bool is_member(const struct line *l, const char *name)
{
	const char *p = l->n > 3 ? l->field[3] : "";
	size_t left = l->n > 3 ? l->len[3] : 0, n = strlen(name);

	while (left > 0) {
		size_t k = 0;

		while (k < left && p[k] != ',')
			k++;
		if (k == n && memcmp(p, name, n) == 0)
			return true;
		k += k < left;
		p += k;
		left -= k;
	}
	return false;
}

static int find_memberships(const char *group, struct user *out, struct err *e)
{
	struct line l;
	uint32_t gid;

	while (*out->name && next_line(&group, &l)) {
		if (!is_member(&l, out->name) || !field_id(&l, 2, &gid) || gid == out->gid)
			continue;
		if (out->n_groups == USER_MAX_GROUPS)
			return err_set(e, E2BIG, "user %s: a member of more than %d groups",
				       out->name, USER_MAX_GROUPS);
		out->groups[out->n_groups++] = gid;
	}
	return 0;
}

int user_resolve(const char *spec, const char *passwd, const char *group, struct user *out,
		 struct err *e)
{
	const char *who = spec && *spec ? spec : "0";
	const char *colon = strchr(who, ':');
	auto_free char *name = xstrndup(who, colon ? (size_t) (colon - who) : strlen(who));
	struct user u = { 0 };

	if (!*name || (colon && !colon[1]))
		return err_set(e, EINVAL, "user '%.60s': USER[:GROUP] is expected", who);
	if (find_user(name, passwd, &u, e) < 0)
		return -1;
	if (colon) {
		if (find_group(colon + 1, group, &u.gid, e) < 0)
			return -1;
	} else if (find_memberships(group, &u, e) < 0) {
		return -1;
	}
	*out = u;
	return 0;
}
