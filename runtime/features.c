/* features: what this build can do. */
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"
#include "runtime/annotations.h"
#include "runtime/caps.h"
#include "runtime/container.h"
#include "runtime/mempolicy.h"
#include "runtime/mount.h"
#include "runtime/network.h"
#include "runtime/ns.h"
#include "runtime/seccomp.h"
#include "version.h"

static void names(struct json_writer *w, const char *key, const char *const *v)
{
	jw_array(w, key);
	for (; v && *v; v++)
		jw_str(w, NULL, *v);
	jw_close(w);
}

static void one_bool(struct json_writer *w, const char *object, const char *key, bool value)
{
	jw_object(w, object);
	jw_bool(w, key, value);
	jw_close(w);
}

static void supported_flags(struct json_writer *w)
{
	const unsigned supported = filter_flags_supported();

	jw_array(w, "supportedFlags");
	for (const char *const *name = filter_flag_names(); *name; name++) {
		struct err ignored = ERR_NONE;
		unsigned flag = 0;

		if (filter_flag_parse(*name, &flag, &ignored) == 0 && (flag & supported))
			jw_str(w, NULL, *name);
	}
	jw_close(w);
}

static void linux_features(struct json_writer *w)
{
	jw_object(w, "linux");
	jw_array(w, "namespaces");
	for (int k = 0; k < NS_COUNT; k++)
		jw_str(w, NULL, ns_oci_name((enum ns_kind) k));
	jw_close(w);
	names(w, "capabilities", caps_names());

	jw_object(w, "cgroup");
	jw_bool(w, "v1", true);
	jw_bool(w, "v2", true);
	jw_bool(w, "systemd", true);
	jw_bool(w, "systemdUser", true);
	jw_bool(w, "rdma", true);
	jw_close(w);

	jw_object(w, "seccomp");
	jw_bool(w, "enabled", true);
	names(w, "actions", filter_action_names());
	names(w, "operators", filter_op_names());
	names(w, "archs", filter_arch_names());
	names(w, "knownFlags", filter_flag_names());
	supported_flags(w);
	jw_close(w);

	one_bool(w, "apparmor", "enabled", true);
	one_bool(w, "selinux", "enabled", true);
	jw_object(w, "memoryPolicy");
	names(w, "modes", mempolicy_mode_names());
	names(w, "flags", mempolicy_flag_names());
	jw_close(w);
	jw_object(w, "intelRdt");
	jw_bool(w, "enabled", true);
	jw_bool(w, "schemata", true);
	jw_bool(w, "monitoring", true);
	jw_close(w);
	jw_object(w, "mountExtensions");
	one_bool(w, "idmap", "enabled", true);
	jw_close(w);
	one_bool(w, "netDevices", "enabled", true);
	jw_close(w);
}

static const char oci_version[] = "1.3.0";

int container_versions(struct buf *out, struct err *e)
{
	auto_free char *library = filter_library_version();

	return buf_printf(out, e, "spec: %s\nlibseccomp: %s\n", oci_version, library);
}

int container_features(struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, true);

	jw_object(w, NULL);
	jw_str(w, "ociVersionMin", "1.0.0");
	jw_str(w, "ociVersionMax", oci_version);
	jw_array(w, "hooks");
	for (int k = 0; k < HOOK_COUNT; k++)
		jw_str(w, NULL, hook_kind_name((enum hook_kind) k));
	jw_close(w);
	names(w, "mountOptions", mount_option_names());
	linux_features(w);
	/* Who passes on annotations of others must filter these. */
	names(w, "potentiallyUnsafeConfigAnnotations", annotation_unsafe);
	jw_object(w, "annotations");
	jw_str(w, "io.carrel.runtime.version", CARREL_VERSION);
	jw_close(w);
	jw_close(w);
	return json_writer_end(w, e);
}
