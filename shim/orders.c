#include "shim/orders.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/util.h"
#include "shim/proto.h"
#include "shim/recording.h"

enum {
	HISTORY_MIN = 65536,
	HISTORY_MAX = 64 << 20,
	WINDOW_MIN = 4096,
	WINDOW_MAX = 16 << 20,
	CLIENTS_MAX = 256,
	PROCESSES_MAX = 64, /* as many as the janitor waits for */
	LAYERS_MAX = 500,   /* the kernel's limit for an overlay */
	FILE_MAX_BYTES = 256 * 1024,
};

static const uint64_t recording_max = 1ull << 40;

/* 64 bits of milliseconds are more than the loop's nanoseconds hold; ten years are enough. */
static const uint64_t ms_max = 10ull * 366 * 24 * 3600 * 1000;

static int decode_id(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	const char *s = NULL;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (strlen(s) < 1 || strlen(s) > 64 || strchr("_.-", s[0]) ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
		    strlen(s))
		return json_err(
			at, e,
			"\"%.64s\" is no identifier: 1 to 64 letters, digits, '_', '.' or '-', "
			"the first a letter or digit",
			s);
	*(const char **) out = s;
	return 0;
}

static int decode_path(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	const char *s = NULL;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (!path_is_clean_absolute(s))
		return json_err(at, e,
				"\"%.200s\" is not an absolute path without \".\" and \"..\"",
				s);
	*(const char **) out = s;
	return 0;
}

static int decode_format(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	const char *s = NULL;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (strcmp(s, "overlay") != 0)
		return json_err(at, e,
				"\"%.64s\" is not known; this version mounts \"overlay\"", s);
	*(const char **) out = s;
	return 0;
}

static int decode_layers(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	const char **list = NULL;
	size_t n = 0;

	if (json_decode_strv(v, at, &list, e) < 0)
		return -1;
	for (; list[n]; n++) {
		struct json_at here = { .up = at, .index = n };

		if (!path_is_clean_absolute(list[n])) {
			(void) json_err(&here, e, "\"%.200s\" is not a clean absolute path",
					list[n]);
			free(list);
			return -1;
		}
	}
	if (n < 1 || n > LAYERS_MAX) {
		free(list);
		return json_err(at, e, "%zu layers where 1 to %d belong", n, LAYERS_MAX);
	}
	*(const char ***) out = list;
	return 0;
}

#define FIELD(name, decode, flags)                                                             \
	{                                                                                      \
#name, decode, offsetof(struct orders, name), flags                            \
	}

static int decode_rootfs(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	/* `out` is the struct orders itself: the offsets are its own. */
	static const struct json_field fields[] = {
		{ "format", decode_format, offsetof(struct orders, rootfs.format),
		  JSON_REQUIRED },
		{ "layers", decode_layers, offsetof(struct orders, rootfs.layers),
		  JSON_REQUIRED },
	};

	return json_decode_object(v, at, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_REJECT, out,
				  e);
}

static int decode_idmap(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	static const struct json_field fields[] = {
		{ "base", json_decode_u32, offsetof(struct orders, idmap.base), JSON_REQUIRED },
		{ "count", json_decode_u32, offsetof(struct orders, idmap.count),
		  JSON_REQUIRED },
	};
	struct orders *o = out;

	if (json_decode_object(v, at, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_REJECT, out, e) <
	    0)
		return -1;
	if (o->idmap.count == 0 || o->idmap.base > UINT32_MAX - o->idmap.count)
		return json_err(at, e, "%u ids from %u on are no range of ids", o->idmap.count,
				o->idmap.base);
	return 0;
}

static int decode_recording(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
	static const struct json_field fields[] = {
		{ "file", decode_path, offsetof(struct orders, recording.file), JSON_REQUIRED },
		{ "max_bytes", json_decode_u64, offsetof(struct orders, recording.max_bytes),
		  JSON_REQUIRED },
	};
	struct orders *o = out;

	if (json_decode_object(v, at, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_REJECT, o, e) <
	    0)
		return -1;
	if (o->recording.max_bytes < RECORDING_MIN_BYTES ||
	    o->recording.max_bytes > recording_max)
		return json_err(at, e, "max_bytes: %llu is not within %d to %llu",
				(unsigned long long) o->recording.max_bytes,
				RECORDING_MIN_BYTES, (unsigned long long) recording_max);
	return 0;
}

static int decode_policy(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	static const struct json_field fields[] = {
		{ "program", decode_path, offsetof(struct orders, policy.program),
		  JSON_REQUIRED },
		{ "rules", decode_path, offsetof(struct orders, policy.rules), JSON_REQUIRED },
		{ "key", decode_path, offsetof(struct orders, policy.key), 0 },
	};

	return json_decode_object(v, at, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_REJECT, out,
				  e);
}

static int decode_volume(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	static const struct json_field fields[] = {
		{ "dir", decode_path, offsetof(struct orders, volume.dir), JSON_REQUIRED },
		{ "uid", json_decode_u32, offsetof(struct orders, volume.uid), JSON_REQUIRED },
		{ "gid", json_decode_u32, offsetof(struct orders, volume.gid), JSON_REQUIRED },
	};

	return json_decode_object(v, at, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_REJECT, out,
				  e);
}

static int decode_version(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	uint32_t version = 0;

	if (json_decode_u32(v, at, &version, e) < 0)
		return -1;
	if (version != 1)
		return json_err(at, e, "%u is not known; this version reads 1", version);
	return 0;
}

static const struct json_limits limits = { .bytes = FILE_MAX_BYTES, .depth = 8, .nodes = 2048 };

static const struct json_field fields[] = {
	{ "version", decode_version, 0, JSON_REQUIRED },
	FIELD(id, decode_id, JSON_REQUIRED),
	FIELD(runtime, decode_path, JSON_REQUIRED),
	FIELD(runtime_root, decode_path, JSON_REQUIRED),
	{ "rootfs", decode_rootfs, 0, JSON_REQUIRED },
	{ "idmap", decode_idmap, 0, JSON_NULL_IS_ABSENT },
	{ "volume", decode_volume, 0, JSON_NULL_IS_ABSENT },
	FIELD(terminal, json_decode_bool, 0),
	FIELD(cols, json_decode_u32, 0),
	FIELD(rows, json_decode_u32, 0),
	FIELD(history_bytes, json_decode_u64, 0),
	FIELD(idle_ms, json_decode_u64, 0),
	FIELD(lifetime_ms, json_decode_u64, 0),
	FIELD(detached_ms, json_decode_u64, 0),
	FIELD(warn_ms, json_decode_u64, 0),
	FIELD(ack_window, json_decode_u32, 0),
	FIELD(max_clients, json_decode_u32, 0),
	FIELD(max_processes, json_decode_u32, 0),
	FIELD(uid_slot, decode_path, JSON_NULL_IS_ABSENT),
	{ "recording", decode_recording, 0, JSON_NULL_IS_ABSENT },
	{ "policy", decode_policy, 0, JSON_NULL_IS_ABSENT },
	FIELD(remove_dir, json_decode_bool, 0),
};

static int check_ranges(const struct orders *o, struct err *e)
{
	const struct {
		const char *name;
		uint64_t value, min, max;
	} rows[] = {
		{ "cols", o->cols, 1, PROTO_MAX_SIZE },
		{ "rows", o->rows, 1, PROTO_MAX_SIZE },
		{ "history_bytes", o->history_bytes, HISTORY_MIN, HISTORY_MAX },
		{ "idle_ms", o->idle_ms, 0, ms_max },
		{ "lifetime_ms", o->lifetime_ms, 0, ms_max },
		{ "detached_ms", o->detached_ms, 0, ms_max },
		{ "warn_ms", o->warn_ms, 0, ms_max },
		{ "ack_window", o->ack_window, WINDOW_MIN, WINDOW_MAX },
		{ "max_clients", o->max_clients, 1, CLIENTS_MAX },
		{ "max_processes", o->max_processes, 0, PROCESSES_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_at at = { .name = rows[i].name };

		if (rows[i].value < rows[i].min || rows[i].value > rows[i].max)
			return json_err(&at, e, "%llu is not within %llu to %llu",
					(unsigned long long) rows[i].value,
					(unsigned long long) rows[i].min,
					(unsigned long long) rows[i].max);
	}
	return 0;
}

/* Without a range of ids of its own the sandbox's root would be the host's, whom no volume's limit stops. */
static int check_volume(const struct orders *o, struct err *e)
{
	const struct json_at at = { .name = "volume" };

	if (!o->volume.dir)
		return 0;
	if (!o->idmap.count)
		return json_err(&at, e, "a volume needs an idmap");
	if (o->volume.uid >= o->idmap.count || o->volume.gid >= o->idmap.count)
		return json_err(&at, e, "%u:%u is not within the %u ids of the idmap",
				o->volume.uid, o->volume.gid, o->idmap.count);
	return 0;
}

static int decode(struct json_doc *doc, struct orders *out, struct err *e)
{
	struct orders o = { .doc = doc,
			    .terminal = true,
			    .cols = 80,
			    .rows = 24,
			    .history_bytes = 262144,
			    .warn_ms = 60000,
			    .ack_window = 262144,
			    .max_clients = 16,
			    .max_processes = 32 };

	if (json_decode_object(json_root(doc), NULL, fields, ARRAY_SIZE(fields),
			       JSON_UNKNOWN_REJECT, &o, e) < 0 ||
	    check_ranges(&o, e) < 0 || check_volume(&o, e) < 0) {
		orders_fini(&o);
		return -1;
	}
	while (o.rootfs.layers[o.rootfs.n_layers])
		o.rootfs.n_layers++;
	*out = o;
	return 0;
}

int orders_parse(const char *text, size_t n, struct orders *out, struct err *e)
{
	struct json_doc *doc;

	if (json_parse(text, n, &limits, &doc, e) < 0 || decode(doc, out, e) < 0)
		return err_wrap(e, "sandbox.json");
	return 0;
}

int orders_read(int dir_fd, struct orders *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(FILE_MAX_BYTES + 1);

	if (fd_read_file(dir_fd, "sandbox.json", FILE_MAX_BYTES, &text, e) < 0)
		return -1;
	return orders_parse(buf_str(&text), buf_len(&text), out, e);
}

const char *orders_policy_name(const struct orders *o)
{
	return o->policy.rules ? strrchr(o->policy.rules, '/') + 1 : NULL;
}

void orders_fini(struct orders *o)
{
	free(o->rootfs.layers);
	json_doc_free(o->doc);
	*o = (struct orders){ 0 };
}
