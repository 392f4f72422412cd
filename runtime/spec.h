/*
 * config.json, parsed once into plain validated structs that are composed from the leaves' own types.
 *
 * Source: OCI runtime-spec 1.3. Any ociVersion 1.x is accepted. Fields that the spec has and this version does
 * not build are refused by name; fields that the spec does not have are ignored, as it demands.
 */
#ifndef CARREL_RUNTIME_SPEC_H
#define CARREL_RUNTIME_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/cgroup.h"
#include "runtime/dev.h"
#include "runtime/hooks.h"
#include "runtime/idmap.h"
#include "runtime/mount.h"
#include "runtime/netdev.h"
#include "runtime/network.h"
#include "runtime/ns.h"
#include "runtime/process.h"
#include "runtime/rdt.h"
#include "runtime/rootfs.h"
#include "runtime/seccomp.h"
#include "runtime/sysctl.h"

struct err;
struct json;
struct json_doc;

struct spec {
	struct json_doc *doc; /* owns every string below */
	const char *oci_version;
	struct process_spec process;
	struct rootfs_spec root;
	const char *hostname, *domainname; /* or NULL */
	struct mount_spec *mounts;
	size_t n_mounts;
	struct hooks_spec hooks;
	struct ns_spec ns;
	struct idmap_spec idmap;
	struct dev_spec *devices; /* linux.devices only, without the defaults */
	size_t n_devices;
	struct cgroup_spec cgroup; /* id and driver are the caller's to fill in */
	struct filter_spec seccomp;
	struct rdt_spec rdt;
	struct sysctl_pair *sysctl;
	size_t n_sysctl;
	struct netdev_spec *netdevs; /* linux.netDevices */
	size_t n_netdevs;
	struct network_spec *network;	/* by annotation, or NULL */
	const char *mount_label;	/* or NULL */
	const char *mount_label_as;	/* the mount option that says it; NULL: context */
	const char *pidfd_receiver;	/* by annotation: as --pidfd-socket, or NULL */
	const struct json *annotations; /* object of strings, or NULL */

	char **warnings; /* NULL-terminated: accepted, but the user should know; may be NULL */
	size_t n_warnings;
	void **kept; /* blocks that the structs above point into */
	size_t n_kept;
};

/* Reads bundle_fd/config.json. Every error names the field: "linux.resources.cpu.quota: must be an integer". */
int spec_load(int bundle_fd, const char *file, struct spec **out, struct err *e);
/* The same from text (for fuzzing and tests). */
int spec_parse(const char *text, size_t n, struct spec **out, struct err *e);

/* A process object alone, as exec's --process gives it or the state file holds it: only oci_version and process
 * of *out are filled. `doc` becomes *out's on success; `node` is inside it. */
int spec_from_process(struct json_doc *doc, const struct json *node, struct spec **out,
		      struct err *e);
/* The hooks object of a state file alone, in the same way. */
int spec_from_hooks(struct json_doc *doc, const struct json *node, struct spec **out,
		    struct err *e);
/* What exec takes over from `linux`: personality and memoryPolicy of a state file, into s->process. The node's
 * document must outlive s. */
int spec_add_inherited(struct spec *s, const struct json *node, struct err *e);
/* linux.resources alone, in the same way (for update). */
int spec_from_resources(struct json_doc *doc, const struct json *node, struct spec **out,
			struct err *e);

/* linux.netDevices alone, in the same way. */
int spec_from_netdevs(struct json_doc *doc, const struct json *node, struct spec **out,
		      struct err *e);

/* One mount more, behind the others; one variable more ("NAME=VALUE"). The texts are copied. */
int spec_add_mount(struct spec *s, const char *target, const char *source,
		   const char *const *options, struct err *e);
void spec_add_env(struct spec *s, const char *text);

void spec_free(struct spec *s);
void spec_free_ptr(struct spec **s);
#define auto_spec auto_cleanup(spec_free_ptr)

#endif
