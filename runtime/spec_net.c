/* config.json: linux.netDevices, and the annotation that asks for a network. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "runtime/spec.h"
#include "runtime/spec_parts.h"

int spec_decode_netdevs(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	static const struct json_field fields[] = {
		{ "name", json_decode_str, offsetof(struct netdev_spec, as), SPEC_OPTIONAL },
	};
	struct spec *s = out;

	if (v->type != JSON_OBJECT)
		return json_err(at, e, "must be an object");
	struct netdev_spec *d = xalloc((v->count + 1) * sizeof(*d));
	spec_keep(at, d);
	size_t n = 0;
	json_each (m, v) {
		const struct json_at here = { .up = at, .name = m->key };

		d[n].name = m->key;
		if (m->type != JSON_NULL &&
		    json_decode_object(m, &here, SPEC_FIELDS(fields), &d[n], e) < 0)
			return -1;
		if (d[n].as && !d[n].as[0])
			d[n].as = NULL;
		n++;
	}
	struct err why = ERR_NONE;
	if (netdev_check(d, n, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	s->netdevs = d;
	s->n_netdevs = n;
	return 0;
}

int spec_take_network(const struct json *v, const struct json_at *at, struct err *e)
{
	struct network_spec *n = xalloc(sizeof(*n));
	struct err why = ERR_NONE;

	spec_keep(at, n);
	const int r = network_parse(v->str.s, v->str.n, n, &why);
	if (r < 0)
		return json_err(at, e, "%s", why.msg);
	if (r == 0)
		spec_of(at)->network = n;
	return 0;
}

int spec_check_network(const struct spec *s, struct err *e)
{
	const struct ns_entry *net = &s->ns.ns[NS_NET];

	if (s->n_netdevs > 0 && !net->listed)
		return err_set(e, EINVAL,
			       "linux.netDevices: unable to move network devices without a NET "
			       "namespace in linux.namespaces");
	if (!s->network)
		return 0;
	if (!net->listed)
		return err_set(e, EINVAL,
			       "annotations.%s: needs a network namespace in linux.namespaces",
			       NETWORK_ANNOTATION);
	if (net->path)
		return err_set(
			e, EINVAL,
			"annotations.%s: the network namespace is joined by path; whoever "
			"made it sets it up",
			NETWORK_ANNOTATION);
	return 0;
}
