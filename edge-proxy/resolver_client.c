/*
 * resolver_client - see the header.
 *
 * A query is written to the line as soon as the socket takes it and waits,
 * known by its number, for the answer.  Its own timer ends it when none comes;
 * a late answer then finds nobody and is dropped.
 *
 * When the resolver process dies the line goes with it, and what was asked
 * there waits for the next line (resolver_client_attach) inside its time
 * limit.  An answer that is not of the format ends the line as well: a
 * resolver that has been taken over can lie about DNS, and do no more.
 */
#include "edge-proxy/resolver_client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/map.h"
#include "edge-proxy/resolver_wire.h"

enum { QUERIES_MAX = 4096, READS_PER_TURN = 64 };

/* One socket; outlives the client until its handle is closed. */
struct line {
	uv_poll_t poll;
	int fd;
	struct resolver_client *rc; /* NULL when given up */
};

struct resolver_query {
	struct resolver_client *rc;
	struct map_node by_id;
	struct list unsent; /* in rc->unsent until written */
	struct clock_timer limit;
	struct resolver_question question;
	resolver_answer_fn *fn;
	void *arg;
};

struct resolver_client {
	uv_loop_t *loop;
	struct clock *clock;
	struct line *line; /* NULL between two resolvers */
	struct map queries;
	struct list unsent;
	uint32_t next_id;
	bool closing;
	struct log log;
	struct resolver_records records;
};

static void
on_line_closed(uv_handle_t *h)
{
	struct line *line = h->data;

	close(line->fd);
	free(line);
}

static void
drop_line(struct resolver_client *rc)
{
	struct line *line = rc->line;

	if (line == NULL)
		return;
	rc->line = NULL;
	line->rc = NULL;
	uv_close((uv_handle_t *)&line->poll, on_line_closed);
}

static void
requeue(struct map_node *n, void *arg)
{
	struct resolver_client *rc = arg;
	struct resolver_query *q = map_entry(n, struct resolver_query, by_id);

	list_remove(&q->unsent);
	list_append(&rc->unsent, &q->unsent);
}

/* The line is of no use any more; its queries wait for the next one. */
static void
lose_line(struct resolver_client *rc, const char *why)
{
	log_warn(&rc->log, "resolver-lost", "reason=%s queries=%zu", why,
	    rc->queries.count);
	drop_line(rc);
	map_each(&rc->queries, requeue, rc);
}

static void
free_query(struct resolver_query *q)
{
	clock_timer_stop(&q->limit);
	list_remove(&q->unsent);
	map_remove(&q->rc->queries, &q->by_id);
	free(q);
}

static void
answer(struct resolver_query *q, const struct dns_answer *a)
{
	resolver_answer_fn *fn = q->fn;
	void *arg = q->arg;

	free_query(q);
	fn(a, arg);
}

static void
answer_failed(struct resolver_query *q)
{
	const struct dns_answer a = { .status = DNS_FAILED,
		.type = q->question.type };

	answer(q, &a);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct resolver_query *q = arg;

	(void)t;
	log_limited_info(&q->rc->log, NULL, "query-timeout", "name=%s type=%d",
	    q->question.name, (int)q->question.type);
	answer_failed(q);
}

/* One datagram with an answer. */
static void
take_answer(struct resolver_client *rc, const uint8_t *data, size_t len)
{
	struct dns_answer a;
	struct map_node *n;
	struct resolver_query *q;
	uint32_t id;

	if (resolver_wire_get_answer(&id, &a, &rc->records, data, len) < 0) {
		lose_line(rc, "malformed answer");
		return;
	}
	n = map_get(&rc->queries, &id, sizeof(id));
	if (n == NULL)
		return;
	q = map_entry(n, struct resolver_query, by_id);
	if (q->question.type != a.type) {
		lose_line(rc, "answer of another type");
		return;
	}
	answer(q, &a);
}

static void
read_answers(struct line *line)
{
	uint8_t data[RESOLVER_ANSWER_MAX + 1];

	for (int i = 0; i < READS_PER_TURN && line->rc != NULL; i++) {
		ssize_t n = recv(line->fd, data, sizeof(data), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			lose_line(line->rc, n < 0 ? strerror(errno) : "ended");
			return;
		}
		take_answer(line->rc, data, (size_t)n);
	}
}

static void on_line(uv_poll_t *h, int status, int events);

static void
rearm(struct line *line)
{
	int events = UV_READABLE;
	int rc;

	if (!list_empty(&line->rc->unsent))
		events |= UV_WRITABLE;
	rc = uv_poll_start(&line->poll, events, on_line);
	if (rc < 0)
		lose_line(line->rc, err_str(rc));
}

static void
write_questions(struct line *line)
{
	struct resolver_client *rc = line->rc;
	struct buf b;

	buf_init(&b, RESOLVER_QUESTION_MAX);
	while (!list_empty(&rc->unsent)) {
		struct resolver_query *q =
		    list_entry(rc->unsent.next, struct resolver_query, unsent);
		ssize_t n;

		buf_clear(&b);
		if (resolver_wire_put_question(&b, &q->question) < 0)
			break; /* no memory: the next turn tries again */
		n = send(line->fd, b.data, b.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			buf_finish(&b);
			lose_line(rc, strerror(errno));
			return;
		}
		list_remove(&q->unsent);
	}
	buf_finish(&b);
	rearm(line);
}

/* The socket can be read or written. */
static void
on_line(uv_poll_t *h, int status, int events)
{
	struct line *line = h->data;

	if (line->rc == NULL)
		return;
	if (status < 0) {
		lose_line(line->rc, err_str(status));
		return;
	}
	if ((events & UV_READABLE) != 0)
		read_answers(line);
	if (line->rc != NULL && (events & UV_WRITABLE) != 0)
		write_questions(line);
}

int
resolver_client_attach(struct resolver_client *rc, int fd)
{
	struct line *line;
	int code;

	line = calloc(1, sizeof(*line));
	if (line == NULL) {
		close(fd);
		return ERR_NOMEM;
	}
	code = uv_poll_init(rc->loop, &line->poll, fd);
	if (code < 0) {
		close(fd);
		free(line);
		return code;
	}
	line->poll.data = line;
	line->fd = fd;
	line->rc = rc;
	drop_line(rc);
	rc->line = line;
	map_each(&rc->queries, requeue, rc);
	rearm(line);
	return 0;
}

int
resolver_client_open(
    struct resolver_client **out, uv_loop_t *loop, struct clock *clock, int fd)
{
	struct resolver_client *rc;
	int code;

	rc = calloc(1, sizeof(*rc));
	if (rc == NULL)
		return ERR_NOMEM;
	rc->loop = loop;
	rc->clock = clock;
	list_init(&rc->unsent);
	log_init(&rc->log, "resolver_client");
	code = map_init(&rc->queries);
	if (code < 0) {
		free(rc);
		return code;
	}
	code = resolver_client_attach(rc, fd);
	if (code < 0) {
		map_finish(&rc->queries);
		free(rc);
		return code;
	}
	*out = rc;
	return 0;
}

void
resolver_client_close(struct resolver_client *rc)
{
	struct map_node *n;

	if (rc == NULL)
		return;
	rc->closing = true;
	/* An answer may cancel other queries, so one at a time. */
	while ((n = map_any(&rc->queries)) != NULL)
		answer_failed(map_entry(n, struct resolver_query, by_id));
	drop_line(rc);
	map_finish(&rc->queries);
	free(rc);
}

int
resolver_query(struct resolver_query **out, struct resolver_client *rc,
    const char *name, enum dns_type type, uint64_t limit_ms,
    resolver_answer_fn *fn, void *arg)
{
	struct resolver_query *q;
	struct buf probe;
	size_t len = strlen(name);
	int code;

	if (rc->closing)
		return ERR_CLOSED;
	if (rc->queries.count >= QUERIES_MAX)
		return ERR_FULL;
	if (len > RESOLVER_NAME_MAX)
		return ERR_MALFORMED;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return ERR_NOMEM;
	q->rc = rc;
	q->question.type = type;
	memcpy(q->question.name, name, len + 1);
	q->fn = fn;
	q->arg = arg;
	list_init(&q->unsent);
	buf_init(&probe, RESOLVER_QUESTION_MAX);
	code = resolver_wire_put_question(&probe, &q->question);
	buf_finish(&probe);
	if (code < 0) {
		free(q);
		return code;
	}
	do
		q->question.id = rc->next_id++;
	while (map_put(&rc->queries, &q->by_id, &q->question.id,
		   sizeof(q->question.id)) == ERR_EXISTS);
	clock_timer_init(&q->limit, rc->clock, on_limit, q);
	clock_timer_start(&q->limit, limit_ms);
	list_append(&rc->unsent, &q->unsent);
	if (rc->line != NULL)
		rearm(rc->line);
	if (out != NULL)
		*out = q;
	return 0;
}

void
resolver_cancel(struct resolver_query *q)
{
	if (q != NULL)
		free_query(q);
}
