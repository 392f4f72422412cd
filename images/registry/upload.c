#include "images/registry/upload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

static void address_start(struct job *j)
{
	if (j->mount && j->q.from[0])
		job_address(j, "blobs/uploads/?mount=%s&from=%s", j->q.ref, j->q.from);
	else
		job_address(j, "blobs/uploads/");
}

int upload_first(struct job *j, struct err *e)
{
	if (j->fd < 0)
		return err_set(e, EPROTO, "no file to send");
	if (j->q.op == REGISTRY_PUT_MANIFEST) {
		j->step = JOB_MANIFEST_PUT;
		job_address(j, "manifests/%s", j->q.ref);
		return 0;
	}
	j->step = JOB_START;
	address_start(j);
	return 0;
}

static void set_source(struct job *j, struct http *h, uint64_t at, uint64_t n)
{
	h->source_fd = j->fd;
	h->source_at = at;
	h->source_n = n;
}

static uint64_t part(const struct job *j)
{
	return MIN(j->q.chunk, j->q.size - j->sent);
}

void upload_prepare(struct job *j, struct http *h)
{
	switch (j->step) {
	case JOB_SEND:
		h->type = "application/octet-stream";
		set_source(j, h, 0, j->q.size);
		break;
	case JOB_CHUNK:
		h->type = "application/octet-stream";
		set_source(j, h, j->sent, part(j));
		snprintf(j->range, sizeof(j->range), "%llu-%llu", (unsigned long long) j->sent,
			 (unsigned long long) (j->sent + part(j) - 1));
		h->content_range = j->range;
		break;
	case JOB_MANIFEST_PUT:
		h->type = j->q.type;
		set_source(j, h, 0, j->q.size);
		break;
	default:
		break;
	}
}

/* Where the session goes on: on this registry, or elsewhere but then without its credentials. */
static int take_session(struct job *j, struct err *e)
{
	if (!j->http.location[0])
		return err_set(e, EPROTO, "the registry does not say where the upload goes on");
	if (http_resolve(j->url, j->http.location, j->upload, e) < 0)
		return -1;
	if (str_has_prefix(j->url, "https:") && !str_has_prefix(j->upload, "https:"))
		return err_set(e, EPROTO,
			       "the registry leads from https to http, which is not followed");
	return 0;
}

static int go_on(struct job *j, enum job_step step, struct err *e)
{
	const char *join = strchr(j->upload, '?') ? "&" : "?";

	if (step == JOB_CHUNK)
		join = NULL;
	if ((size_t) snprintf(j->url, sizeof(j->url), "%s%s%s%s", j->upload, join ? join : "",
			      join ? "digest=" : "", join ? j->q.ref : "") >= sizeof(j->url))
		return err_set(e, EPROTO, "the registry's address for the upload is too long");
	job_go(j, step);
	return 0;
}

static int next_part(struct job *j, struct err *e)
{
	return go_on(j, j->sent < j->q.size ? JOB_CHUNK : JOB_CLOSE, e);
}

int upload_went(struct job *j, struct err *e)
{
	if (j->step == JOB_START && j->http.status == 201) {
		job_done(j, REGISTRY_MOUNTED);
		return 0;
	}
	if (j->step == JOB_CHUNK)
		j->sent += part(j);
	if (j->step == JOB_START || j->step == JOB_CHUNK) {
		if (take_session(j, e) < 0)
			return -1;
		return j->q.chunk > 0 ? next_part(j, e) : go_on(j, JOB_SEND, e);
	}
	job_done(j, REGISTRY_SENT);
	return 0;
}

void upload_rewind(struct job *j)
{
	if (j->q.op != REGISTRY_PUT_BLOB)
		return;
	j->mount = false;
	j->sent = 0;
	j->step = JOB_START;
	address_start(j);
}
