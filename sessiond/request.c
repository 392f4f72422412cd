#include "sessiond/request.h"

#include <microhttpd.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "sessiond/problem.h"

const char *request_header(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

int request_json(struct request *rq, struct json_doc **out)
{
	/* A body has few values; the caps keep one of 64 KiB from becoming megabytes of nodes. */
	static const struct json_limits limits = { REQUEST_BODY_MAX, 8, 4096 };
	struct err e = ERR_NONE;

	if (buf_len(&rq->body) == 0) {
		*out = json_doc_new();
		return 0;
	}
	if (json_parse(buf_str(&rq->body), buf_len(&rq->body), &limits, out, &e) < 0) {
		problem_reply(rq, PROBLEM_BAD_REQUEST, "body: %s", e.msg);
		return -1;
	}
	if (json_root(*out)->type != JSON_OBJECT) {
		problem_reply(rq, PROBLEM_BAD_REQUEST, "body: it is not a JSON object");
		return -1;
	}
	return 0;
}

void reply_header(struct request *rq, const char *name, const char *value)
{
	struct reply *r = &rq->reply;

	if (r->n_headers == REPLY_HEADERS) {
		log_error("request %s: no room for header %s", rq->id, name);
		return;
	}
	r->headers[r->n_headers++] =
		(struct reply_header){ .name = xstrdup(name), .value = xstrdup(value) };
}

struct json_writer *reply_json(struct request *rq, unsigned status)
{
	struct reply *r = &rq->reply;

	r->status = status;
	r->content_type = "application/json";
	buf_fini(&r->body);
	r->body = BUF_LIMIT(REPLY_MAX);
	return json_writer_new(&r->body, false);
}

void reply_json_end(struct request *rq, struct json_writer *w)
{
	struct err e = ERR_NONE;
	int r = json_writer_end(w, &e);

	json_writer_free_ptr(&w);
	if (r < 0 || buf_puts(&rq->reply.body, "\n", &e) < 0) {
		log_error("request %s: %s", rq->id, e.msg);
		reply_clear(&rq->reply);
		reply_empty(rq, 500);
	}
}

void reply_empty(struct request *rq, unsigned status)
{
	reply_fixed(rq, status, NULL, "", 0);
}

void reply_fixed(struct request *rq, unsigned status, const char *content_type, const void *p,
		 size_t n)
{
	rq->reply.status = status;
	rq->reply.content_type = content_type;
	rq->reply.fixed = p;
	rq->reply.n_fixed = n;
}

void reply_file(struct request *rq, unsigned status, const char *content_type, int fd,
		uint64_t from, uint64_t n)
{
	rq->reply.status = status;
	rq->reply.content_type = content_type;
	rq->reply.file_fd = fd;
	rq->reply.file_from = from;
	rq->reply.n_file = n;
}

void reply_clear(struct reply *r)
{
	buf_fini(&r->body);
	for (size_t i = 0; i < r->n_headers; i++) {
		free(r->headers[i].name);
		free(r->headers[i].value);
	}
	free(r->upgrade_arg);
	if (r->file_fd > 0)
		fd_close(&r->file_fd);
	*r = (struct reply){ 0 };
}
