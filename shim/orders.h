/*
 * The shim's orders: DIR/sandbox.json, read once into plain validated fields.
 */
#ifndef CARREL_SHIM_ORDERS_H
#define CARREL_SHIM_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct json_doc;

struct orders {
	struct json_doc *doc; /* the strings below live in it */
	const char *id;
	const char *runtime;	  /* the program, absolute */
	const char *runtime_root; /* its --root, absolute */
	struct {
		const char *format;  /* "overlay" */
		const char **layers; /* bottom first, absolute, NULL-terminated */
		size_t n_layers;
	} rootfs;
	struct {
		uint32_t base, count; /* count 0: the layers are mounted with their own ids */
	} idmap;
	struct {
		const char *
			dir; /* of the volume (base/volume.h), absolute; NULL: the sandbox has none */
		uint32_t uid, gid; /* whose it is inside */
	} volume;
	bool terminal;
	uint32_t cols, rows;
	uint64_t history_bytes;
	uint64_t idle_ms, lifetime_ms; /* 0: no limit */
	uint64_t detached_ms;	       /* without a client; 0: no limit */
	uint64_t warn_ms;	       /* 0: no warning */
	uint32_t ack_window;
	uint32_t max_clients;
	uint32_t max_processes; /* besides the first, at the same time */
	const char *uid_slot;	/* may be NULL */
	struct {
		const char *file; /* NULL: none is made */
		uint64_t max_bytes;
	} recording;
	struct {
		const char *program; /* carrel-scan; NULL: under no policy */
		const char
			*rules;	 /* what it made of the policy, without the ends of the names */
		const char *key; /* of fingerprints (shim/scan_key.h); NULL: there are none */
	} policy;
	bool remove_dir;
};

/* Every error names sandbox.json and the field. */
int orders_parse(const char *text, size_t n, struct orders *out, struct err *e);
int orders_read(int dir_fd, struct orders *out, struct err *e);
/* The last name of policy.rules; NULL: under none. */
const char *orders_policy_name(const struct orders *o);
void orders_fini(struct orders *o);

#endif
